"""What only the browser can do for all pages: its script is `assets/frame.js`.

It lets a swipe that begins on a slider scroll the page, gives dialogs the theme of the page, says in our words that
the server does not answer, tells a reloaded page which tab it was, so that the form and the photos are as they were,
shows the whole of a name that is cut to whoever points at it, lets a dropped folder keep the folders in it, and keeps
what a page adds to its own address out of the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st

from tl_core.storage.workspace import Workspace
from ui.shell.navigation import HOME, PAGES
from ui.state.current import names_of_choice
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
# By the last part of its path: what a page writes into an address that does not name it.
COMPLETED: Final = {"" if page == HOME else page.title: names_of_choice(page) for page in PAGES}

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

    data = {"tab": tab_key(), "gone": SERVER_GONE, "names": dict(names), "completed": COMPLETED}
    _MOUNT(key=_KEY, data=data, on_before_change=recognised)
    if st.session_state.pop(_BACK, False):
        st.rerun()
