"""The Python side of the live camera."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.figures.palette import ANSWER
from tl_core.runs import RunRecord
from ui.components.live_camera.answering import SHOWN, answer_frame
from ui.shell.errors import error_boundary

_FOLDER: Final = Path(__file__).parent

# Registered once, when the module is imported: a second registration would remount the camera.
_MOUNT: Final = st.components.v2.component(
    "live_camera",
    html=(_FOLDER / "live_camera.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "live_camera.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "live_camera.js").read_text(encoding="utf-8"),
)


def live_camera(run: RunRecord, key: str, epoch: int | None = None) -> None:
    """Draw the folded section; behind it the camera, only once somebody opens it.

    Args:
        run: whose model answers.
        key: prefix of the controls' keys.
        epoch: one of its saved epochs; None = the best one.
    """
    section = st.expander("Live camera", icon=":material/videocam:", on_change="rerun", key=f"{key}-section")
    if section.open:  # the camera is in the page, and may be on, only while it is seen
        with section:
            st.caption("Answers while you point the camera at things. The pictures are not kept.")
            st.fragment(_watch)(run, key, epoch)


def _watch(run: RunRecord, key: str, epoch: int | None) -> None:
    """Runs alone for every picture; the last answer is all that is remembered."""
    with error_boundary():
        seen, remembered = st.session_state.get(key), f"{key}-answer"
        frame = seen.get("frame") if seen else None
        if frame is not None:
            st.session_state[remembered] = answer_frame(run.path, epoch, frame)
        _MOUNT(
            key=key,
            data={
                "answer": st.session_state.get(remembered),
                "color": ANSWER,
                "model": f"{run.id} {epoch}",
                "names": list(run.classes[:SHOWN]) if len(run.classes) <= SHOWN else [],
                "rows": min(SHOWN, len(run.classes)),
            },
            on_frame_change=_expected,
        )


def _expected() -> None:
    """Names the value that the browser sends; the fragment reads it."""
