"""*Find the best for me* beside *Start*, and the list of searches."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.search.process import start_search
from tl_core.search.record import GOALS, Search, create_search, list_searches
from tl_core.search.sources.downloads import describe_downloads, to_download
from tl_core.storage.format import moment, percent
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.shell.errors import error_boundary
from ui.shell.navigation import FIND, SEARCH, WAY
from ui.shell.scrolling import show_from_here
from ui.state.begin_training import ask_to_begin, was_asked

DURATIONS: Final = {2.0: "2 minutes", 10.0: "10 minutes", 60.0: "1 hour"}
_SHOWN: Final = 5
_PANEL: Final = "search_panel"
_ASKED: Final = "search_asked"  # in the session: how often a button elsewhere asked for the panel

_STATUS: Final = {
    "waiting": "waits",
    "running": "at work",
    "done": "done",
    "stopped": "stopped",
    "failed": "failed",
    "interrupted": "cut off",
}


def unfold() -> None:
    """Unfold the panel and bring it into sight: what a button elsewhere on the form does."""
    st.session_state[_PANEL] = True
    st.session_state[_ASKED] = st.session_state.get(_ASKED, 0) + 1


def find_the_best(workspace: Workspace, dataset: Dataset) -> bool:
    """The button, and behind it how long the search may take and what matters; returns whether it is unfolded."""
    if st.query_params.get(WAY) == FIND:
        st.query_params.pop(WAY)  # once: from now on it is folded and unfolded by hand
        unfold()
    panel = st.expander("Find the best for me", icon=":material/travel_explore:", key=_PANEL, on_change="rerun")
    with panel:
        st.markdown(
            "Tries out one model after the other, for as long as you say, and trains the best one. It does not use "
            "the settings above; the goal *Fast* is what it has to beat."
        )
        minutes = st.radio(
            "How long may it take?",
            list(DURATIONS),
            format_func=DURATIONS.__getitem__,
            horizontal=True,
            key="search_minutes",
            help="The training of the best model is included. With more time, larger backbones are tried too.",
        )
        goal = st.radio(
            "What matters?",
            list(GOALS),
            format_func=GOALS.__getitem__,
            key="search_goal",
            help="If size and speed count, a backbone that takes twice as long has to be half a point better.",
        )
        recipes = st.checkbox(
            "Also try the published recipes",
            key="search_recipes",
            help="The seven walk-throughs of the form, in half of the time, to see all of them beside each other. "
            "One that takes more than its part is ended early; one whose network is not on this machine is left out.",
        )
        missing = to_download(workspace)
        downloads = bool(missing) and st.checkbox(
            f"Also download other backbones, {sum(backbone.download_mb for backbone in missing):.0f} MB at most",
            key="search_downloads",
            help=f"{describe_downloads(missing)}. Those for which there is time are downloaded while others are "
            "tried; they stay on this machine. Without this, only backbones that are here are tried.",
        )
        pressed = st.button(
            "Search",
            key="search_start",
            type="primary",
            icon=":material/play_arrow:",
            on_click=ask_to_begin,
            args=(dataset,),
        )
        if asked := st.session_state.get(_ASKED):  # below all, which is above the middle of the window then
            show_from_here(f"asked {asked}", key="search_panel_end")
        if pressed and was_asked(dataset):
            begin(create_search(workspace, dataset, minutes, goal, recipes=recipes, downloads=downloads))
    return bool(panel.open)


def begin(search: Search) -> None:
    """Start the process of a search and show it."""
    start_search(search)
    st.query_params.clear()
    st.query_params[SEARCH] = search.id
    st.rerun()


@error_boundary()
def search_list(workspace: Workspace) -> None:
    """The latest searches with links to them; nothing where there is none."""
    found = list_searches(workspace)
    if not found:
        return
    with st.expander("Searches for the best model", icon=":material/travel_explore:", key="search_list"):
        for search in found[:_SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                accuracy = search.outcome.get("accuracy")
                reached = f", {percent(accuracy)}" if accuracy is not None else ""
                words = f"**{plain(search.name)}**: {_STATUS[search.status]}{reached}, {moment(search.created)}"
                st.markdown(words, width="stretch")
                st.button("Show", key=f"search-show-{search.id}", on_click=_show, args=(search.id,))


def _show(search_id: str) -> None:
    st.query_params.clear()
    st.query_params[SEARCH] = search_id
