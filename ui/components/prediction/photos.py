"""The pictures that are shown to the model: the last ones that came, from whichever way; a reload keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui.components.pictures import MAX_PICTURES, Picture, Visibility, image_uploader
from ui.shell.access.endpoints import release_uploads
from ui.shell.errors import error_boundary
from ui.state.tab_memory import keep_in_tab, kept_in_tab

_SHOWN: Final = "photos"
_FIELDS: Final = "photo-fields"  # in the session: how many fields there have been; a new one is empty
_LEFT_OUT: Final = "photos-left-out"
_FROM: Final = "photos-from"  # in the session: the key of the field through which they came


def shown_photos() -> list[Picture]:
    """What the model is asked about now."""
    found: list[Picture] = st.session_state.get(_SHOWN) or kept_in_tab(_SHOWN) or []
    return found


def show_photos(pictures: Sequence[Picture]) -> None:
    """Ask the model about these, in place of what was shown before."""
    st.session_state[_SHOWN] = list(pictures)
    keep_in_tab(_SHOWN, list(pictures), sum(len(picture.data) for picture in pictures))


def photo_field(label: str, key: str, *, label_visibility: Visibility = "visible") -> None:
    """Draw a field for photos; as soon as some have come they are shown, and the field is empty again."""
    number = st.session_state.get(_FIELDS, 0)

    @error_boundary()
    def arrived() -> None:
        # A field that is being replaced may once more tell of the files that it had, which are released by then.
        files = [file for file in st.session_state[f"{key}-{number}"] if isinstance(file, UploadedFile)]
        if files:
            _take(files, key)
            st.session_state[_FIELDS] = number + 1
            release_uploads(files)

    with st.container(key=key):
        image_uploader(label, f"{key}-{number}", on_change=arrived, label_visibility=label_visibility)
    if left_out := st.session_state.pop(_LEFT_OUT, 0):
        st.warning(f"The model looks at {MAX_PICTURES} pictures at once: {left_out:,} more were left out.")


def camera_field(key: str, width: int) -> None:
    """Draw the camera; each photo is shown at once."""

    @error_boundary()
    def taken() -> None:
        if (photo := st.session_state[key]) is not None:
            _take([photo], key)

    st.camera_input("Photo", key=key, label_visibility="collapsed", width=width, on_change=taken)


def photos_came_from() -> str | None:
    """The key of the field through which the photos came in this session."""
    found: str | None = st.session_state.get(_FROM)
    return found


def _take(files: Iterable[UploadedFile], key: str) -> None:
    st.session_state[_FROM] = key
    pictures = [Picture(file.file_id, file.name, file.getvalue()) for file in files]
    st.session_state[_LEFT_OUT] = max(0, len(pictures) - MAX_PICTURES)
    show_photos(pictures[:MAX_PICTURES])
