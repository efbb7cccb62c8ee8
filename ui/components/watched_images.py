"""The small charts under the live chart: one per watched image, growing in place."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.errors import ImageError
from tl_core.figures.history import History
from tl_core.figures.watched_images import watched_images_payload
from tl_core.runs import RunRecord
from tl_core.runs.watched_images import watched_images
from ui.components.thumbnail import small_copy

_ASSETS: Final = Path(__file__).parent / "assets"
SIDE: Final = 128  # px, of the longer edge of a thumbnail; twice what is shown, for sharp screens
KEPT: Final = 64  # thumbnails of all runs that are shown

# Registered once, when the module is imported: a second registration would remount every chart on the screen.
_MOUNT: Final = st.components.v2.component(
    "watched_images",
    css=(_ASSETS / "watched_images.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "watched_images.js").read_text(encoding="utf-8"),
)


def watched_images_charts(run: RunRecord, history: History, *, key: str) -> None:
    """Draw the predictions for the run's watched images by epoch; nothing where there are none."""
    pictures = watched_images(run.folder)
    if pictures:
        st.markdown(
            "**Watched pictures**",
            help="What the model thinks each of them is, epoch by epoch: the lines are the probabilities of the "
            "classes. It does not learn from these pictures.",
        )
        thumbnails = [_thumbnail(picture.path) for picture in pictures]
        _MOUNT(key=key, data=watched_images_payload(pictures, run.classes, history, thumbnails))


@st.cache_data(max_entries=KEPT, show_spinner=False)
def _thumbnail(path: Path) -> str:
    """The picture as an address that holds it: it goes to the browser with the lines, and never flickers."""
    try:
        encoded = small_copy(path.read_bytes(), SIDE)
    except (OSError, ImageError):
        return ""
    kind = "image/png" if encoded.startswith(b"\x89PNG") else "image/jpeg"
    return f"data:{kind};base64,{base64.b64encode(encoded).decode()}"
