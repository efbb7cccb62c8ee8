"""A heatmap laid over the photograph it is about."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

# The violet-to-yellow end of *plasma* (matplotlib, CC0): grows in lightness, so it reads the same to every eye.
_COLORS: Final = np.array([(76, 2, 161), (156, 23, 158), (204, 71, 120), (237, 121, 83), (253, 195, 40)], np.float32)
STRONGEST: Final = 0.65  # opacity at the highest activation; transparent at none


LEGEND: Final = tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in _COLORS.astype(int).tolist())
"""The colours from weak to strong, as CSS writes them."""


def overlay(picture: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32], side: int = 360) -> bytes:
    """Draw a heatmap over a photograph.

    Args:
        picture: ``(h, w, 3)`` RGB, of any size.
        heat: ``(a, b)`` in [0, 1], stretched over the whole picture.
        side: of the longer edge of the result, in pixels.

    Returns:
        A PNG file.
    """
    ground = Image.fromarray(picture)
    size = _size(ground.size, side)
    # A tiny picture keeps its pixels; a photograph is shrunk, or enlarged a little.
    enlarged = size[0] > 4 * ground.width
    ground = ground.resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.BILINEAR)
    levels = _levels(heat, size)
    mixed = np.asarray(ground, np.float32) * (1 - STRONGEST * levels) + _colors(levels) * STRONGEST * levels
    return _png(mixed)


def heat_layer(picture: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32], side: int = 360) -> bytes:
    """Draw a heatmap by itself, to be laid over its photograph: opaque where it is strongest, else the less so.

    Args:
        picture: ``(h, w, 3)`` RGB, of any size, whose form the layer has.
        heat: ``(a, b)`` in [0, 1], stretched over the whole picture.
        side: of the longer edge of the result, in pixels.

    Returns:
        A PNG file with transparency.
    """
    levels = _levels(heat, _size((picture.shape[1], picture.shape[0]), side))
    return _png(np.concatenate([_colors(levels), 255 * levels], axis=-1))


def heat_tile(heat: npt.NDArray[np.float32], side: int = 160) -> bytes:
    """Draw a map by itself, each of its cells a square of one colour.

    Args:
        heat: ``(a, b)`` in [0, 1].
        side: of the longer edge of the result, in pixels.

    Returns:
        A PNG file.
    """
    size = _size((heat.shape[1], heat.shape[0]), side)
    cells = Image.fromarray(heat.astype(np.float32), mode="F").resize(size, Image.Resampling.NEAREST)
    return _png(_colors(np.asarray(cells, np.float32)[..., None]))


def _size(picture: tuple[int, int], side: int) -> tuple[int, int]:
    scale = side / max(picture)
    return max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))


def _levels(heat: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The heat as ``(h, w, 1)``; the centre of each cell stays in its place: bicubic, and no wrapped edges."""
    grown = Image.fromarray(heat.astype(np.float32), mode="F").resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(grown, np.float32), 0, 1)[..., None]


def _colors(levels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    steps = np.linspace(0, 1, len(_COLORS))
    return np.concatenate([np.interp(levels, steps, channel) for channel in _COLORS.T], axis=-1).astype(np.float32)


def _png(pixels: npt.NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
