"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
from keras import optimizers

from tl_core.config import TrainingConfig

MOMENTUM: Final = 0.9  # of SGD

_OPTIMIZERS: Final[Mapping[str, Callable[[Any, float], keras.Optimizer]]] = {
    "adam": lambda rate, _: optimizers.Adam(rate),
    "adamw": lambda rate, decay: optimizers.AdamW(rate, weight_decay=decay),
    "rmsprop": lambda rate, _: optimizers.RMSprop(rate),
    "sgd": lambda rate, decay: optimizers.SGD(rate, momentum=MOMENTUM, weight_decay=decay or None),
}
_NOT_DECAYED: Final = ("bias", "gamma", "beta")  # offsets and scales of normalization: decay only kernels


def build_optimizer(config: TrainingConfig, learning_rate: float, steps: int) -> keras.Optimizer:
    """Build the optimizer of one phase.

    Args:
        config: names the optimizer, the schedule and the weight decay.
        learning_rate: at the start of the phase.
        steps: batches in the whole phase; the cosine schedule reaches 0 after so many.

    Returns:
        A new optimizer. With the schedule ``plateau`` its rate is constant: a callback lowers it.
    """
    cosine = config.schedule == "cosine"
    rate = optimizers.schedules.CosineDecay(learning_rate, max(1, steps)) if cosine else learning_rate
    optimizer = _OPTIMIZERS[config.optimizer](rate, config.weight_decay)
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
    return optimizer
