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
    scale = side / max(ground.size)
    size = (max(1, round(ground.width * scale)), max(1, round(ground.height * scale)))
    # A tiny picture keeps its pixels; a photograph is shrunk, or enlarged a little.
    ground = ground.resize(size, Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BILINEAR)
    # The centre of each cell stays in its place: bicubic, and no wrapped edges.
    levels = np.asarray(Image.fromarray(heat.astype(np.float32), mode="F").resize(size, Image.Resampling.BICUBIC))
    levels = np.clip(levels, 0, 1)[..., None]
    steps = np.linspace(0, 1, len(_COLORS))
    colors = np.concatenate([np.interp(levels, steps, channel) for channel in _COLORS.T], axis=-1)
    mixed = np.asarray(ground, np.float32) * (1 - STRONGEST * levels) + colors * STRONGEST * levels
    file = io.BytesIO()
    Image.fromarray(np.rint(mixed).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
