"""Random changes to training images. They are not part of the saved model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from tl_core.config import AugmentationConfig
from tl_core.models.random_moves import build_random_moves

Augmentation = Callable[[Any], Any]

_PIXELS: Final = (0.0, 255.0)
_MOVES: Final = ("horizontal_flip", "vertical_flip", "rotation_degrees", "zoom", "shift", "shear")


def build_augmentation(config: AugmentationConfig, seed: int) -> Augmentation:
    """Build a function that changes every image of a batch at random, each in its own way.

    The function keeps the state of its random numbers: each call changes images differently, and the same
    sequence of calls after the same ``seed`` gives the same images. It works eagerly, in a ``tf.function`` and
    in a ``tf.data`` pipeline (there, repeatable only when mapped one batch at a time).

    Returns:
        A function from float32 batches ``(n, height, width, 3)`` in [0, 255] to the same; without any change
        switched on it returns the batch unchanged.
    """
    steps = _steps(config, seed)

    def augment(images: Any) -> Any:
        for step in steps:
            images = step(images)
        return images

    return augment


def _steps(config: AugmentationConfig, seed: int) -> list[Augmentation]:
    shared = {"value_range": _PIXELS, "dtype": "float32"}
    steps: list[Augmentation] = []
    if any(getattr(config, name) for name in _MOVES):
        steps.append(build_random_moves(config, seed))
    if config.brightness:
        steps.append(layers.RandomBrightness((-config.brightness, config.brightness), seed=seed + 1, **shared))
    if config.contrast:
        # Of a pair, Keras subtracts the first from 1 and adds the second; a single number would only ever add.
        steps.append(layers.RandomContrast((config.contrast, config.contrast), seed=seed + 2, **shared))
    return steps


def augment_preview(
    image: npt.NDArray[np.uint8], config: AugmentationConfig, count: int = 9, seed: int = 0
) -> list[npt.NDArray[np.uint8]]:
    """Change one image in several random ways, as training would.

    Args:
        image: uint8 RGB ``(height, width, 3)``; with 224 pixels nine views take about a tenth of a second.
        config: what may change.
        count: number of views.
        seed: the same seed gives the same views.

    Returns:
        ``count`` uint8 images of the shape of ``image``.
    """
    batch = np.repeat(image[np.newaxis].astype(np.float32), count, axis=0)
    views = keras.ops.convert_to_numpy(build_augmentation(config, seed)(batch))
    return list(np.clip(np.rint(views), *_PIXELS).astype(np.uint8))
