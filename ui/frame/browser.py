"""What only the browser can do for all pages: its script is `assets/frame.js`.

It lets a swipe that begins on a slider scroll the page, gives dialogs the theme of the page, says in our words that
the server does not answer, tells a reloaded page which tab it was, so that the form and the photos are as they were,
shows the whole of a name that is cut to whoever points at it, and lets a dropped folder keep the folders in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st

from tl_core.storage.workspace import Workspace
from ui.state.tab_memory import come_back, of_person, tab_key, was_of

_ASSETS: Final = Path(__file__).parent / "assets"
_KEY: Final = "frame-browser"
_BACK: Final = "frame-came-back"
SERVER_GONE: Final = {
    "title": "The dashboard does not answer",
    "here": "Its server on this computer has ended. Start it again in the folder of the dashboard:",
    "command": "streamlit run app.py",
    "elsewhere": "Is the computer that it runs on switched on, and are you in the same network?",
    "then": "This page goes on by itself as soon as the server is back. Your images, runs and models are saved.",
}

# Registered once, when the module is imported: a second registration would mount it anew.
_MOUNT: Final = st.components.v2.component(
    "frame_browser", js=(_ASSETS / "frame.js").read_text(encoding="utf-8"), isolate_styles=False
)


@st.fragment
def browser_side(workspace: Workspace, names: Mapping[str, str]) -> None:
    """Put the script into the page; it is not seen.

    A part of the page, so that the answer of the browser draws the page once more only where the tab held something.

    Args:
        workspace: of the visitor, who gets back what was theirs alone.
        names: whole names of what is shown shortened.
    """
    of_person(workspace.person)

    def recognised() -> None:
        state: Any = st.session_state[_KEY]
        before = state.get("before")
        if isinstance(before, str) and was_of(before, workspace.person):
            st.session_state[_BACK] = come_back(before)

    _MOUNT(key=_KEY, data={"tab": tab_key(), "gone": SERVER_GONE, "names": dict(names)}, on_before_change=recognised)
    if st.session_state.pop(_BACK, False):
        st.rerun()
