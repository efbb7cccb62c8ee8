"""A prediction sees the pixels that a training sees, which are those that earlier versions of the program saw."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from tests.hostile.pictures import encoded, raw_png
from tl_core.data.normalise import decode_image, normalise_image, read_image, resize_image, stored_pixels


def scene(width: int, height: int) -> np.ndarray:
    """Slopes, waves and edges in three channels, the same on any machine."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = (x * 255 // max(1, width - 1)), (y * 255 // max(1, height - 1))
    blue = ((x // 8 + y // 8) % 2) * 200 + (x * y) % 50
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def turned(width: int, height: int, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(scene(width, height)), "JPEG", quality=90, exif=exif.tobytes())


def transparent(width: int, height: int) -> bytes:
    rgba = np.dstack([scene(width, height), np.linspace(0, 255, width).astype(np.uint8)[None].repeat(height, 0)])
    return encoded(Image.fromarray(rgba, "RGBA"))


def palette(width: int, height: int) -> bytes:
    return encoded(Image.fromarray(scene(width, height)).quantize(64, dither=Image.Dither.NONE), "GIF")


def sixteen_bits(width: int, height: int) -> bytes:
    levels = (scene(width, height)[..., 0].astype(">u2") * 257).reshape(height, width)
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    return raw_png(width, height, 16, 0, rows)


PICTURES = {
    "small": lambda: encoded(Image.fromarray(scene(90, 60))),
    "turned by EXIF, small": lambda: turned(90, 60, 6),
    "turned by EXIF, large": lambda: turned(1200, 800, 8),
    "grey": lambda: encoded(Image.fromarray(scene(120, 80)[..., 1])),
    "grey, large": lambda: encoded(Image.fromarray(scene(500, 300)[..., 1]), "JPEG", quality=85),
    "16 bits": lambda: sixteen_bits(64, 40),
    "16 bits, large": lambda: sixteen_bits(400, 300),
    "transparent": lambda: transparent(100, 70),
    "transparent, large": lambda: transparent(700, 500),
    "palette": lambda: palette(80, 80),
    "palette, large": lambda: palette(320, 300),
    "photograph": lambda: encoded(Image.fromarray(scene(2000, 1500)), "JPEG", quality=90),
    "panorama": lambda: encoded(Image.fromarray(scene(3000, 700))),
}

# Sha256 of the picture at 64 pixels, as the version before decoding and encoding were parted showed it to a model.
SEEN = {
    "small": "e2f700d8644a5b578990caa5b101a132",
    "turned by EXIF, small": "cec9ebe66c7d9ecf638854e5dfbd40b0",
    "turned by EXIF, large": "7f7badfa0f398b5f85073b953a40dd05",
    "grey": "b07d2207d1917e454872a0e95250eb6c",
    "grey, large": "3e492aadf9d7317f0ebb6ecdedf38291",
    "16 bits": "bfcfaa0618d282841d4469793253649e",
    "16 bits, large": "568bf60c6ee2e44c828deda5d019b810",
    "transparent": "4f96266db593bf1f96fa80477a8cc4d1",
    "transparent, large": "4e3f4512f81becc60be2caaf9ce14342",
    "palette": "4c24eafdb89da590fd567c941cde2a26",
    "palette, large": "7e344a0a78706d5b5f6b8d5f1e71fa4d",
    "photograph": "f2e83b5039399dffda69cf8776029602",
    "panorama": "d01dd22c2c8f01fe78a1b3257fb8020f",
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_prediction_sees_what_it_always_saw(name):
    seen = resize_image(stored_pixels(PICTURES[name]()), 64)
    assert hashlib.sha256(seen.tobytes()).hexdigest()[:32] == SEEN[name]


@pytest.mark.parametrize("name", PICTURES)
def test_a_prediction_sees_the_pixels_of_the_stored_file(name):
    data = PICTURES[name]()
    assert np.array_equal(stored_pixels(data), read_image(normalise_image(data).encoded))


@pytest.mark.parametrize(("name", "times"), [("small", 0), ("16 bits", 0), ("palette", 0), ("photograph", 1)])
def test_a_prediction_encodes_only_where_storing_would_change_pixels(name, times, monkeypatch):
    data, saved, save = PICTURES[name](), [], Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda *values, **options: saved.append(1) or save(*values, **options))
    monkeypatch.setattr(hashlib, "sha256", lambda *_: pytest.fail("nothing needs a hash"))
    stored_pixels(data)
    assert len(saved) == times


def test_decoded_pixels_are_upright_rgb():
    pixels = decode_image(PICTURES["turned by EXIF, small"]())
    assert (pixels.shape, pixels.dtype) == ((90, 60, 3), np.uint8)
