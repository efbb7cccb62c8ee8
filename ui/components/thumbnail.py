"""A picture as the page shows it: upright, small, and safe to send to a browser."""

from __future__ import annotations

import io
from typing import Final

import streamlit as st
from PIL import Image

from tl_core.data.normalise import decode_image

LONGEST_SIDE: Final = 480  # px
SMALLEST_SHOWN: Final = 96  # px; smaller pictures are enlarged, with their pixels kept sharp
KEPT: Final = 48  # about 2 MB in a browser tab's share of the memory


@st.cache_data(scope="session", max_entries=KEPT, show_spinner=False)
def thumbnail(picture_id: str, _data: bytes) -> bytes:
    """`small_copy`, kept in this browser tab; the id stands for the bytes."""
    del picture_id  # only tells one picture from another
    return small_copy(_data)


def small_copy(data: bytes, longest: int = LONGEST_SIDE) -> bytes:
    """Turn a picture into a small PNG or JPEG.

    Args:
        data: a file as it came.
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
