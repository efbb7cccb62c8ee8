"""Builds the head that `tl_core.config.HeadConfig` describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import keras
from keras import layers

from tl_core.config import HeadConfig
from tl_core.errors import ConfigError, NotEnoughDataError

POOLING: Final = "pooling"  # the layer that ends the pooling of all maps; up to it there are no weights

_POOLINGS: Final[Mapping[str, tuple[type[keras.Layer], ...]]] = {
    "average": (layers.GlobalAveragePooling2D,),
    "max": (layers.GlobalMaxPooling2D,),
    "both": (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D),
    "flatten": (layers.Flatten,),
}
Shape = tuple[int, int, int]
_NORMALIZATIONS: Final[Mapping[str, Callable[[], keras.Layer]]] = {
    "batch": lambda: layers.BatchNormalization(name="feature_normalization"),
    "layer": lambda: layers.LayerNormalization(name="feature_normalization"),
}


def build_head(config: HeadConfig, features: Shape | Sequence[Shape], classes: int) -> keras.Model:
    """Build the model named ``head``.

    Args:
        features: shape of the backbone's feature map, ``(height, width, channels)``; or of several maps.
        classes: number of classes, at least 2.

    Returns:
        A functional model from feature maps ``(n, height, width, channels)``, a list where there are several, to
        probabilities, float32 also under mixed precision: ``(n, classes)``, or ``(n, 1)`` with the probability of the
        second class for sigmoid.

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
    shapes: Any = [features] if isinstance(features[0], int) else list(features)
    inputs = [keras.Input(shape, name=f"features_{at}" if at else "features") for at, shape in enumerate(shapes)]
    x = _pooled(inputs, _POOLINGS[config.pooling])
    if config.feature_normalization != "none":
        x = _NORMALIZATIONS[config.feature_normalization]()(x)
    for number, units in enumerate(config.dense_units, start=1):
        dense = layers.Dense(
            units, activation=config.activation, kernel_regularizer=_penalty(config), name=f"dense_{number}"
        )
        x = dense(x)
        if config.batch_norm:
            x = layers.BatchNormalization(name=f"batch_norm_{number}")(x)
        if config.dropout:
            x = layers.Dropout(config.dropout, name=f"dropout_{number}")(x)
    if not config.dense_units and config.dropout:
        x = layers.Dropout(config.dropout, name="dropout")(x)
    units = classes if config.output == "softmax" else 1
    penalty = None if config.dense_units else _penalty(config)
    output = layers.Dense(
        units, activation=config.output, kernel_regularizer=penalty, dtype="float32", name="probabilities"
    )
    x = output(x)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], x, name="head")


def _penalty(config: HeadConfig) -> keras.Regularizer | None:
    return keras.regularizers.L2(config.l2) if config.l2 else None


def _pooled(maps: Sequence[Any], kinds: Sequence[type[keras.Layer]]) -> Any:
    """One list of numbers per image: of each map each kind of pooling."""
    if len(maps) * len(kinds) == 1:
        return kinds[0](name=POOLING)(maps[0])
    return layers.Concatenate(name=POOLING)([kind()(found) for found in maps for kind in kinds])
