"""Random flip, rotation, zoom, translation and shear in one step.

The layers ``keras.layers.RandomFlip``, ``RandomRotation``, ``RandomZoom``, ``RandomTranslation`` and
``RandomShear`` in a row would resample each image five times, and blur it a little each time. Here their
transforms are multiplied into one matrix per image, and each image is interpolated once: the same changes, sharper,
and about three times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tl_core.config import AugmentationConfig


def build_random_moves(config: AugmentationConfig, seed: int) -> Callable[[Any], Any]:
    """Build a function that transforms every image of a batch ``(n, height, width, 3)`` at random, about its centre.

    The function keeps the state of its random numbers, and returns float32 values within the range of its input (and
    0 where the fill mode is constant).
    """
    draws = _Draws(seed)

    def move(images: Any) -> Any:
        count, height, width = ops.shape(images)[:3]
        mirror_x = draws.sign(count) if config.horizontal_flip else 1.0
        mirror_y = draws.sign(count) if config.vertical_flip else 1.0
        angle = draws.within(math.radians(config.rotation_degrees), count)
        scale = 1 + draws.within(config.zoom, count)  # above 1: farther away
        slant = draws.within(config.shear, count)
        linear = _linear(mirror_x, mirror_y, angle, scale, slant)
        shift = draws.within(config.shift, count), draws.within(config.shift, count)
        matrices = _about_the_middle(linear, shift, ops.cast(height, "float32"), ops.cast(width, "float32"))
        return ops.image.affine_transform(
            ops.cast(images, "float32"), matrices, interpolation="bilinear", fill_mode=config.fill_mode
        )

    return move


class _Draws:
    """Random numbers, one per image."""

    def __init__(self, seed: int) -> None:
        self._state = keras.random.SeedGenerator(seed)

    def within(self, amount: float, count: Any) -> Any:
        """Uniform between ``-amount`` and ``amount``, ``(count,)``."""
        if amount == 0:
            return ops.zeros((count,), "float32")
        return keras.random.uniform((count,), -amount, amount, dtype="float32", seed=self._state)

    def sign(self, count: Any) -> Any:
        """-1 or 1, ``(count,)``."""
        return ops.sign(self.within(1.0, count))


def _linear(mirror_x: Any, mirror_y: Any, angle: Any, scale: Any, slant: Any) -> tuple[Any, Any, Any, Any]:
    """Multiply ``scale * rotation * slant along the rows * mirror`` into ``[[a, b], [c, d]]``."""
    cosine, sine = scale * ops.cos(angle), scale * ops.sin(angle)
    return cosine * mirror_x, (cosine * slant - sine) * mirror_y, sine * mirror_x, (sine * slant + cosine) * mirror_y


def _about_the_middle(linear: tuple[Any, Any, Any, Any], shift: tuple[Any, Any], height: Any, width: Any) -> Any:
    """Return the eight numbers per image that ``affine_transform`` takes: from places in the output to the input."""
    a, b, c, d = linear
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    x, y = middle_x + shift[0] * width, middle_y + shift[1] * height
    right, down = middle_x - a * x - b * y, middle_y - c * x - d * y
    nothing = ops.zeros_like(right)
    return ops.stack([a + nothing, b, right, c + nothing, d, down, nothing, nothing], axis=1)
