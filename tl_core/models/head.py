"""Builds the head that `tl_core.config.HeadConfig` describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
from keras import layers

from tl_core.config import HeadConfig
from tl_core.errors import ConfigError, NotEnoughDataError

_POOLINGS: Final[Mapping[str, Callable[[], keras.Layer]]] = {
    "average": lambda: layers.GlobalAveragePooling2D(name="pooling"),
    "max": lambda: layers.GlobalMaxPooling2D(name="pooling"),
    "flatten": lambda: layers.Flatten(name="pooling"),
}
_NORMALIZATIONS: Final[Mapping[str, Callable[[], keras.Layer]]] = {
    "batch": lambda: layers.BatchNormalization(name="feature_normalization"),
    "layer": lambda: layers.LayerNormalization(name="feature_normalization"),
}


def build_head(config: HeadConfig, features: tuple[int, int, int], classes: int) -> keras.Model:
    """Build the model named ``head``.

    Args:
        features: shape of the backbone's feature map, ``(height, width, channels)``.
        classes: number of classes, at least 2.

    Returns:
        A functional model from feature maps ``(n, height, width, channels)`` to probabilities, float32 also under
        mixed precision: ``(n, classes)``, or ``(n, 1)`` with the probability of the second class for sigmoid.

    Raises:
        ConfigError: sigmoid with other than two classes.
        NotEnoughDataError: fewer than two classes.
    """
    if classes < 2:
        raise NotEnoughDataError(f"A classifier needs at least 2 classes. Received: {classes}.")
    if config.output == "sigmoid" and classes != 2:
        raise ConfigError(
            f"A sigmoid output tells two classes apart, and this dataset has {classes}: choose softmax instead."
        )
    inputs = keras.Input(features, name="features")
    x: Any = _POOLINGS[config.pooling]()(inputs)
    if config.feature_normalization != "none":
        x = _NORMALIZATIONS[config.feature_normalization]()(x)
    for number, units in enumerate(config.dense_units, start=1):
        regularizer = keras.regularizers.L2(config.l2) if config.l2 else None
        dense = layers.Dense(
            units, activation=config.activation, kernel_regularizer=regularizer, name=f"dense_{number}"
        )
        x = dense(x)
        if config.batch_norm:
            x = layers.BatchNormalization(name=f"batch_norm_{number}")(x)
        if config.dropout:
            x = layers.Dropout(config.dropout, name=f"dropout_{number}")(x)
    if not config.dense_units and config.dropout:
        x = layers.Dropout(config.dropout, name="dropout")(x)
    units = classes if config.output == "softmax" else 1
    x = layers.Dense(units, activation=config.output, dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, x, name="head")
