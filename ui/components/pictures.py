"""Pictures that people bring, and the field in which they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data.normalise import MAX_IMAGE_BYTES

Visibility = Literal["visible", "hidden", "collapsed"]
MAX_PICTURES: Final = 200  # at once; a browser that holds many more becomes slow
# Any image may come: a phone then offers its photos, and a format that cannot be read gets a sentence. Browsers do
# not know that the last two are images, and would refuse them.
FILE_TYPES: Final = ("image", "heic", "heif")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to predict."""

    id: str  # the same as long as it is the same picture in this browser tab
    name: str
    data: bytes  # the uploaded file, not trusted
    truth: str | None = None  # its class, where that is known


def image_uploader(
    label: str,
    key: str,
    help: str | None = None,
    *,
    on_change: Callable[[], None] | None = None,
    label_visibility: Visibility = "visible",
) -> list[UploadedFile]:
    """Draw a field for one or many images; gives what is in it."""
    return st.file_uploader(
        label,
        type=FILE_TYPES,
        accept_multiple_files=True,
        max_upload_size=MAX_IMAGE_BYTES // 1_000_000,
        key=key,
        help=help,
        on_change=on_change,
        label_visibility=label_visibility,
    )
