"""Random changes to training images. They are no part of the saved model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from tl_core.config import AugmentationConfig

Augmentation = Callable[[Any], Any]

_PIXELS: Final = (0.0, 255.0)
_DEGREES: Final = 360  # Keras counts angles in turns


def _horizontal_flip(_: AugmentationConfig, **shared: Any) -> keras.Layer:
    return layers.RandomFlip("horizontal", **shared)


def _vertical_flip(_: AugmentationConfig, **shared: Any) -> keras.Layer:
    return layers.RandomFlip("vertical", **shared)


def _rotation(config: AugmentationConfig, **shared: Any) -> keras.Layer:
    return layers.RandomRotation(_either_way(config.rotation_degrees / _DEGREES), **shared)


def _zoom(config: AugmentationConfig, **shared: Any) -> keras.Layer:
    return layers.RandomZoom(_either_way(config.zoom), **shared)  # width and height alike


def _shift(config: AugmentationConfig, **shared: Any) -> keras.Layer:
    return layers.RandomTranslation(_either_way(config.shift), _either_way(config.shift), **shared)


def _shear(config: AugmentationConfig, **shared: Any) -> keras.Layer:
    return layers.RandomShear(x_factor=config.shear, **shared)  # either way; Keras refuses a negative bound


def _brightness(config: AugmentationConfig, **shared: Any) -> keras.Layer:
    return layers.RandomBrightness(_either_way(config.brightness), value_range=_PIXELS, **shared)


def _contrast(config: AugmentationConfig, **shared: Any) -> keras.Layer:
    # Of a pair, Keras subtracts the first from 1 and adds the second; a single number would only ever add.
    return layers.RandomContrast((config.contrast, config.contrast), value_range=_PIXELS, **shared)


def _either_way(amount: float) -> tuple[float, float]:
    return (-amount, amount)


# In this order; a step whose setting is zero or false is left out.
_STEPS: Final[tuple[tuple[str, Callable[..., keras.Layer]], ...]] = (
    ("horizontal_flip", _horizontal_flip),
    ("vertical_flip", _vertical_flip),
    ("rotation_degrees", _rotation),
    ("zoom", _zoom),
    ("shift", _shift),
    ("shear", _shear),
    ("brightness", _brightness),
    ("contrast", _contrast),
)
_MOVING: Final = ("rotation_degrees", "zoom", "shift", "shear")  # leave places to fill


def build_augmentation(config: AugmentationConfig, seed: int) -> Augmentation:
    """Build a function that changes every image of a batch at random, each in its own way.

    The function keeps the state of its random numbers: called again it gives other changes, and the same
    sequence of calls after the same ``seed`` gives the same images. It works eagerly, in a ``tf.function`` and
    in a ``tf.data`` pipeline (there, repeatable only when mapped one batch at a time).

    Returns:
        A function from float32 batches ``(n, height, width, 3)`` in [0, 255] to the same; without any change
        switched on it gives the batch back.
    """
    steps = [
        build(config, seed=seed + number, dtype="float32", **_filling(config, name))
        for number, (name, build) in enumerate(_STEPS)
        if getattr(config, name)
    ]

    def augment(images: Any) -> Any:
        for step in steps:
            images = step(images, training=True)
        return images

    return augment


def augment_preview(
    image: npt.NDArray[np.uint8], config: AugmentationConfig, count: int = 9, seed: int = 0
) -> list[npt.NDArray[np.uint8]]:
    """Change one image in several random ways, as training would.

    Args:
        image: uint8 RGB ``(height, width, 3)``; a few hundred pixels keep this under a tenth of a second.
        config: what may change.
        count: number of views.
        seed: the same seed gives the same views.

    Returns:
        ``count`` uint8 images of the shape of ``image``.
    """
    batch = np.repeat(image[np.newaxis].astype(np.float32), count, axis=0)
    views = keras.ops.convert_to_numpy(build_augmentation(config, seed)(batch))
    return list(np.clip(np.rint(views), *_PIXELS).astype(np.uint8))


def _filling(config: AugmentationConfig, name: str) -> dict[str, str]:
    return {"fill_mode": config.fill_mode} if name in _MOVING else {}
