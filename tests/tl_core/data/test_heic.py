"""A HEIC photo is read by a process of its own, which may end as it likes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.hostile.pictures import heic_photo
from tl_core.data.heic import heic_as_png
from tl_core.errors import ImageError


def test_a_large_photo_is_halved_while_it_stays_twice_as_large_as_it_is_needed():
    sizes = [Image.open(io.BytesIO(heic_as_png(heic_photo(), 10_000, side))).size for side in (13, 12, 6)]
    assert sizes == [(48, 64), (24, 32), (12, 16)]


def test_a_photo_with_too_many_pixels_is_refused_from_its_header():
    with pytest.raises(ImageError, match="more than the 0 allowed"):
        heic_as_png(heic_photo(), 3_000, 640)
