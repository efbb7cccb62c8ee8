"""The sample *surfaces*: patches of three photographs that scikit-image ships.

The patches for training, validation and testing come from different parts of each photograph, which share
no pixel: a model that only remembers the photograph is found out.
"""

from __future__ import annotations

import io
from types import MappingProxyType
from typing import Final, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from tl_core.data.imports.layouts import LabelledFile, Layout
from tl_core.data.imports.sources import SourceFile

SURFACES: Final = ("brick", "grass", "gravel")
PATCH: Final = 96  # pixels, width and height
PHOTOGRAPH: Final = 512  # pixels, width and height
ROWS: Final = MappingProxyType({"train": (0, 256), "validation": (256, 384), "test": (384, 512)})  # [first, end)
GRID: Final = MappingProxyType({"train": (6, 12), "validation": (2, 10), "test": (2, 10)})  # patches down and across

TITLE: Final = "Surfaces"
DESCRIPTION: Final = (
    "Brick, grass or gravel? Patches of 96 x 96 pixels from three photographs, 112 of each; those for "
    "training, validation and testing come from different parts of the photograph."
)
LICENSE: Final = "CC0 photographs (CC0Textures: Bricks25, Gravel04; linolafett: Grass 01), as shipped in scikit-image"

Grey = npt.NDArray[np.uint8]


def layout() -> Layout:
    """All patches with their splits."""
    from skimage import data

    files = [
        LabelledFile(_patch(name, split, photograph, top, left), name, split)
        for name in SURFACES
        for photograph in [cast(Grey, getattr(data, name)())]
        for split in ROWS
        for top, left in corners(split)
    ]
    return Layout(tuple(files), (), given_splits=True)


def corners(split: str) -> list[tuple[int, int]]:
    """Upper left corners ``(row, column)`` of the patches of a split, evenly spread over its part."""
    first, end = ROWS[split]
    down, across = GRID[split]
    rows = np.linspace(first, end - PATCH, down).astype(int)
    columns = np.linspace(0, PHOTOGRAPH - PATCH, across).astype(int)
    return [(int(row), int(column)) for row in rows for column in columns]


def _patch(name: str, split: str, photograph: Grey, top: int, left: int) -> SourceFile:
    def read() -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(photograph[top : top + PATCH, left : left + PATCH]).save(
            buffer, format="PNG", compress_level=1
        )
        return buffer.getvalue()

    return SourceFile((split, name, f"{name}-{top:03d}-{left:03d}.png"), 0, read)
