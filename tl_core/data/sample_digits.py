"""The sample *digits*: real scans of handwritten digits that scikit-learn ships."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from tl_core.data.imports.layouts import LabelledFile, Layout
from tl_core.data.imports.sources import SourceFile

SIZE: Final = 64  # pixels; the scans have 8 x 8
_INK: Final = 16  # the value of a pixel that is all ink

TITLE: Final = "Handwritten digits"
DESCRIPTION: Final = (
    "1,797 scans of the digits 0 to 9, written by 13 people. Tiny, so training takes a minute; "
    "shown as black ink on white paper."
)
LICENSE: Final = (
    "Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, UCI, 1998), CC BY 4.0; from scikit-learn"
)


def layout() -> Layout:
    """All digits; the split is drawn by class with the seed of the import."""
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    files = [
        _file(number, scan, int(target))
        for number, (scan, target) in enumerate(zip(digits.images, digits.target, strict=True))
    ]
    return Layout(tuple(files), (), given_splits=False)


def _file(number: int, scan: npt.NDArray[np.float64], digit: int) -> LabelledFile:
    name = f"digit-{number:04d}.png"
    return LabelledFile(SourceFile((str(digit), name), 0, lambda: _png(scan)), str(digit), None)


def _png(scan: npt.NDArray[np.float64]) -> bytes:
    """One scan, values 0 (paper) to 16 (ink), as a grey PNG of 64 x 64 pixels, enlarged smoothly."""
    grey = np.rint(255 * (1 - scan / _INK)).astype(np.uint8)
    picture = Image.fromarray(grey).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
