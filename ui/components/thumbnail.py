"""A picture as the page shows it: upright, small, and safe to send to a browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import streamlit as st
from PIL import Image

from tl_core.data.normalise import decode_image
from tl_core.errors import DatasetNotFoundError

LONGEST_SIDE: Final = 480  # px
SMALLEST_SHOWN: Final = 96  # px; smaller pictures are enlarged, with their pixels kept sharp
TILE: Final = 160  # px, of a dataset's image; twice what is shown, for sharp screens
SMALL_TILE: Final = 112  # px, of the longer edge, where hundreds are shown
KEPT: Final = 48  # about 2 MB in a browser tab's share of the memory


@st.cache_data(scope="session", max_entries=KEPT, show_spinner=False)
def thumbnail(picture_id: str, _data: bytes) -> bytes:
    """`small_copy`, kept in this browser tab; the id stands for the bytes."""
    del picture_id  # only the cache key
    return small_copy(_data)


def small_copy(data: bytes, longest: int = LONGEST_SIDE) -> bytes:
    """Turn a picture into a small PNG or JPEG.

    Args:
        data: an uploaded file.
        longest: side of the copy, in pixels, at most.

    Raises:
        ImageError: it is no picture that can be read.
    """
    image = Image.fromarray(decode_image(data))
    small = max(image.size) < SMALLEST_SHOWN
    if small:
        factor = -(-SMALLEST_SHOWN // max(image.size))
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    else:
        image.thumbnail((longest, longest))
    encoded = io.BytesIO()
    image.save(encoded, "PNG" if small else "JPEG", quality=88)
    return encoded.getvalue()


@st.cache_data(max_entries=10_000, show_spinner=False)
def small_tile(path: Path) -> bytes:
    """A stored image as a file of a few kilobytes, for a grid of very many; the path stands for the pixels."""
    with _stored(path) as image:
        image.draft("RGB", (SMALL_TILE, SMALL_TILE))
        picture = image.convert("RGB")
    tiny = max(picture.size) < SMALL_TILE
    picture.thumbnail((SMALL_TILE, SMALL_TILE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG" if tiny else "JPEG", quality=75)
    return buffer.getvalue()


@st.cache_data(max_entries=2000, show_spinner=False)
def dataset_thumbnail(path: Path) -> bytes:
    """The image on a square of 160 pixels as PNG; a tiny one is enlarged without blurring its pixels."""
    with _stored(path) as image:
        picture = image.convert("RGB")
    scale = TILE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (TILE, TILE), (0, 0, 0, 0))
    square.paste(picture, ((TILE - size[0]) // 2, TILE - size[1]))  # at the bottom, beside its own words below
    buffer = io.BytesIO()
    square.save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def _stored(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError as error:  # in another tab, while this page was drawn
        raise DatasetNotFoundError("These images were deleted meanwhile: choose another dataset.") from error
