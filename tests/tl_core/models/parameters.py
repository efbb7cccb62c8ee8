"""How many parameters of a model are trained, and how many are not."""

from __future__ import annotations

import math

import keras


def count_parameters(model: keras.Model) -> tuple[int, int]:
    """Trainable and non-trainable parameters, as ``model.summary()`` counts them."""
    trainable, others = (
        sum(math.prod(weight.shape) for weight in weights)
        for weights in (model.trainable_weights, model.non_trainable_weights)
    )
    return trainable, others
