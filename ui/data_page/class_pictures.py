"""The pictures of one class before they are a dataset: shown at once, recorded with the camera, taken from a video.

``class_pictures.js`` shrinks what the camera or a video shows to JPEGs of at most 640 pixels, and hands them over a
few at a time; the next few come when those are on the disk. Videos are played by the browser: the server never sees
one, and needs no program to read it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import streamlit as st

from tl_core.data.collecting import CollectedPicture, PictureCollection, bring, discard_pictures
from tl_core.data.imports.sources import SourceFile
from tl_core.errors import ImageError, TransferLearningError
from tl_core.storage.workspace import Workspace
from ui.components.prediction.picture_view import as_address
from ui.components.thumbnail import small_tile

_ASSETS: Final = Path(__file__).parent / "assets"

# Registered once, when the module is imported: a second registration would remount the camera.
_MOUNT: Final = st.components.v2.component(
    "class_pictures",
    html=(_ASSETS / "class_pictures.html").read_text(encoding="utf-8"),
    css=(_ASSETS / "class_pictures.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "class_pictures.js").read_text(encoding="utf-8"),
)
SHOWN: Final = 60  # the newest, unless all are asked for
MAX_SHOWN: Final = 1000  # where all are asked for
MAX_FRAME_BYTES: Final = 200_000  # the browser sends less
MAX_FRAMES: Final = 8  # at once
_TOKEN: Final = re.compile(r"[0-9a-f]{16}")
_DAMAGED: Final = "The pictures have arrived damaged: reload the page and record again."


@dataclass(frozen=True, slots=True)
class Frames:
    """Neighbouring pictures of one recording or video."""

    id: int  # of the parcel
    recording: str  # 16 hexadecimal digits
    files: tuple[SourceFile, ...]


def class_pictures(
    workspace: Workspace, collection: PictureCollection | None, pile: str, key: str, what: str
) -> PictureCollection | None:
    """Draw the pictures of a pile, with the buttons that take more; gives the collection as it is then.

    Args:
        collection: None where nothing was brought yet; `arrivals` has made one where something came just now.
        pile: of the collection.
        key: names the component on the page.
        what: the class, for who does not see it.
    """
    answer, collection = _take(workspace, collection, pile, key)
    everything = bool(st.session_state.get(f"{key}-everything"))
    pictures = collection.of_pile(pile)[::-1] if collection else ()
    shown = pictures[: MAX_SHOWN if everything else SHOWN]
    _MOUNT(
        key=key,
        data={
            "key": f"{collection.id if collection else ''} {key}",
            "pictures": [_tile(collection, picture) for picture in shown] if collection else [],
            "total": len(pictures),
            "everything": everything,
            "answer": answer,
            "enabled": True,
            "what": what,
        },
        on_frames_change=lambda: None,  # names the values that the browser sends, which are read above
        on_removed_change=lambda: None,
        on_everything_change=lambda: None,
    )
    return collection


def something_came(key: str) -> bool:
    """Whether the browser has just sent pictures, so that a collection is needed."""
    sent: Any = st.session_state.get(key)
    return bool(sent and sent.get("frames") is not None)


def _take(
    workspace: Workspace, collection: PictureCollection | None, pile: str, key: str
) -> tuple[dict[str, Any] | None, PictureCollection | None]:
    """Do what the browser asks for; returns what it is answered, and the collection after that."""
    sent: Any = st.session_state.get(key) or {}
    if sent.get("everything") is not None:
        st.session_state[f"{key}-everything"] = sent["everything"] is True
    if collection is None:
        return None, None
    removed, frames = sent.get("removed"), sent.get("frames")
    if isinstance(removed, list):
        collection = discard_pictures(workspace, collection.id, {str(name) for name in removed})
    if frames is not None:
        number = frames.get("id") if isinstance(frames, dict) else None
        try:
            found = read_frames(frames)
            collection = bring(workspace, collection.id, pile, found.files)
        except TransferLearningError as error:
            st.session_state[f"{key}-answer"] = {"id": number, "error": str(error)}
        else:
            st.session_state[f"{key}-answer"] = {"id": number}
    return st.session_state.get(f"{key}-answer"), collection


def read_frames(sent: Any) -> Frames:
    """The pictures in what the browser sent, which is not trusted.

    Args:
        sent: ``{"id": number, "token": text, "name": text, "first": number, "jpegs": [base64, ...]}``.

    Raises:
        ImageError: it is something else, or too large.
    """
    if not isinstance(sent, dict):
        raise ImageError(_DAMAGED)
    number, token, name, first = (sent.get(part) for part in ("id", "token", "name", "first"))
    jpegs = sent.get("jpegs")
    sound = (
        isinstance(number, int)
        and isinstance(first, int)
        and 0 <= first < 10_000
        and isinstance(name, str)
        and isinstance(token, str)
        and _TOKEN.fullmatch(token)
        and isinstance(jpegs, list)
        and 0 < len(jpegs) <= MAX_FRAMES
    )
    if not sound:
        raise ImageError(_DAMAGED)
    folder = str(name)[:80].replace("/", "-").strip() or "recording"
    datas = [_decoded(jpeg) for jpeg in jpegs or ()]
    files = tuple(
        SourceFile((folder, f"{place:04d}.jpg"), len(data), lambda data=data: data, str(token))  # type: ignore[misc]
        for place, data in enumerate(datas, start=int(first or 0))
    )
    return Frames(int(number or 0), str(token), files)


def _decoded(jpeg: Any) -> bytes:
    if not isinstance(jpeg, str) or len(jpeg) > MAX_FRAME_BYTES * 4 / 3 + 4:
        raise ImageError(_DAMAGED)
    try:
        return base64.b64decode(jpeg, validate=True)
    except binascii.Error as error:
        raise ImageError(_DAMAGED) from error


def _tile(collection: PictureCollection, picture: CollectedPicture) -> dict[str, Any]:
    record = picture.record
    return {
        "id": picture.id,
        "src": as_address(small_tile(collection.path_of(record))),
        "name": record.source_name,
        "tiny": max(record.width, record.height) < 64,
    }
