"""The size of a photo, as the card of an answer tells it."""

from __future__ import annotations

import io

import pytest
from PIL import ExifTags, Image

from ui.components.prediction.card import format_pixels


@pytest.mark.parametrize(("turned", "said"), [(1, "4,000 × 3,000"), (3, "4,000 × 3,000"), (6, "3,000 × 4,000")])
def test_a_photo_is_as_large_as_it_stands_upright(turned: int, said: str):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    file = io.BytesIO()
    Image.new("RGB", (4000, 3000)).save(file, "JPEG", exif=exif.tobytes())
    assert format_pixels(file.getvalue()) == (f"{said} pixels, shown smaller",)
