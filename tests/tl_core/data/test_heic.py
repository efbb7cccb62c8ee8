"""A HEIC photo is read by a process of its own, which may end as it likes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.hostile.pictures import crashing_heic, heic_photo
from tl_core.data.heic import heic_as_png
from tl_core.errors import ImageError


def test_a_large_photo_is_halved_while_it_stays_twice_as_large_as_it_is_needed():
    sizes = [Image.open(io.BytesIO(heic_as_png(heic_photo(), 10_000, side))).size for side in (13, 12, 6)]
    assert sizes == [(48, 64), (24, 32), (12, 16)]


def test_a_photo_with_too_many_pixels_is_refused_from_its_header():
    with pytest.raises(ImageError, match="more than the 0 allowed"):
        heic_as_png(heic_photo(), 3_000, 640)


def test_a_photo_that_crashes_its_decoder_is_one_that_cannot_be_read():
    with pytest.raises(ImageError, match="damaged or cut off"):
        heic_as_png(crashing_heic(), 10_000, 640)
    assert heic_as_png(heic_photo(), 10_000, 640).startswith(b"\x89PNG")
