"""Choosing which runs the list shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from tl_core.config.format_settings import backbone_title
from tl_core.runs import RunRecord, has_tags
from ui.components.run_format import format_status

SHOWN: Final[dict[str, Callable[[RunRecord], bool]]] = {
    "All": lambda _: True,
    "Starred": lambda run: run.starred,
    "In progress": lambda run: run.active,
    "With a model": lambda run: run.has_model,
    "Ended without": lambda run: not run.active and not run.has_model,
}


def runs_filter(key: str, tags: Sequence[str] = ()) -> Callable[[Sequence[RunRecord]], list[RunRecord]]:
    """Draw a search box, a choice of status and one of tags; returns what picks the runs that match.

    Args:
        key: prefix of the controls' keys.
        tags: that there are; without any there is nothing to choose.
    """
    words = st.text_input(
        "Search",
        type="search",
        live=True,
        placeholder="Name, dataset, tag …",
        key=f"{key}-search",
        width=200,
    )
    shown = st.selectbox("Show", list(SHOWN), key=f"{key}-shown", width=142)
    chosen = _tag_filter(tags, f"{key}-tags") if tags else []
    return lambda runs: matching(runs, shown, words or "", chosen)


def matching(runs: Sequence[RunRecord], shown: str, words: str, tags: Sequence[str] = ()) -> list[RunRecord]:
    """The runs of one kind of `SHOWN` with all these tags in which every word is found, whatever its case."""
    wanted = words.casefold().split()
    found = [run for run in runs if SHOWN[shown](run) and has_tags(run, tags)]
    return [run for run in found if all(word in _text(run) for word in wanted)]


def _tag_filter(tags: Sequence[str], key: str) -> list[str]:
    # What nobody has any more would stay chosen, and nothing would show that it is.
    st.session_state[key] = [tag for tag in st.session_state.get(key, []) if tag in tags]
    return st.multiselect(
        "Tags", tags, key=key, placeholder="Any", help="Runs with all of the chosen tags.", width=200
    )


def _text(run: RunRecord) -> str:
    parts = (
        run.name,
        run.dataset_name,
        backbone_title(run.config),
        run.config.backbone,
        format_status(run),
        run.notes,
        *run.tags,
    )
    return " ".join(parts).casefold()
