"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
import tensorflow as tf
from keras import optimizers

MOMENTUM: Final = 0.9  # of SGD


class FusedAdam(optimizers.Adam):  # type: ignore[misc]
    """Keras' Adam with each variable updated by one TensorFlow kernel in place of a dozen small ones.

    The arithmetic is the same: https://www.tensorflow.org/api_docs/python/tf/raw_ops/ResourceApplyAdam. A step of
    the default head takes a fifth less time.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(tf.cast(self.beta_1, dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, dtype), step),
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.cast(self.beta_1, dtype),
            beta2=tf.cast(self.beta_2, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


class FusedRMSprop(optimizers.RMSprop):  # type: ignore[misc]
    """Keras' RMSprop, in the same way: https://www.tensorflow.org/api_docs/python/tf/raw_ops/ResourceApplyRMSProp."""

    def build(self, variables: Any) -> None:
        """Make what a step needs beside the variables."""
        if not self.built:
            super().build(variables)
            # The kernel writes each step down before it takes it. No state: it is not in a checkpoint.
            self._steps = [tf.Variable(tf.zeros(one.shape, one.dtype), trainable=False) for one in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyRMSProp(
            var=_handle(variable),
            ms=_handle(self._velocities[index]),
            mom=self._steps[index].handle,
            lr=tf.cast(learning_rate, dtype),
            rho=tf.cast(self.rho, dtype),
            momentum=tf.cast(0, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


class FusedSGD(optimizers.SGD):  # type: ignore[misc]
    """Keras' SGD with momentum, in the same way.

    https://www.tensorflow.org/api_docs/python/tf/raw_ops/ResourceApplyKerasMomentum
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=_handle(variable),
            accum=_handle(self.momentums[self._get_variable_index(variable)]),
            lr=tf.cast(learning_rate, dtype),
            grad=tf.cast(gradient, dtype),
            momentum=tf.cast(self.momentum, dtype),
        )


class FusedAdamW(FusedAdam, optimizers.AdamW):  # type: ignore[misc]
    """Adam with decoupled weight decay, which Keras applies before the step."""


def _handle(variable: Any) -> Any:
    """Keras passes its own variables, or the TensorFlow ones inside them."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


_OPTIMIZERS: Final[Mapping[str, Callable[[Any, float], keras.Optimizer]]] = {
    "adam": lambda rate, _: FusedAdam(rate),
    "adamw": lambda rate, decay: FusedAdamW(rate, weight_decay=decay),
    "rmsprop": lambda rate, _: FusedRMSprop(rate),
    "sgd": lambda rate, decay: FusedSGD(rate, momentum=MOMENTUM, weight_decay=decay or None),
}
_NOT_DECAYED: Final = ("bias", "gamma", "beta")  # offsets and scales of normalization: decay only kernels


def build_optimizer(
    name: str, learning_rate: float, steps: int, *, schedule: str = "constant", weight_decay: float = 0.0
) -> keras.Optimizer:
    """Build the optimizer of one phase.

    Args:
        name: adam, adamw, rmsprop or sgd (with momentum).
        learning_rate: at the start of the phase.
        steps: batches in the whole phase; the cosine schedule reaches 0 after so many.
        schedule: constant, cosine, or plateau, where the rate is constant until a callback lowers it.
        weight_decay: decoupled, of kernels; used by adamw and sgd alone.
    """
    cosine = schedule == "cosine"
    rate = optimizers.schedules.CosineDecay(learning_rate, max(1, steps)) if cosine else learning_rate
    optimizer = _OPTIMIZERS[name](rate, weight_decay)
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
    return optimizer
