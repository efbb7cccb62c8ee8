"""Choosing which runs the list shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from tl_core.runs import RunRecord
from tl_core.settings import backbone_title
from ui.runs.words import status_words

SHOWN: Final[dict[str, Callable[[RunRecord], bool]]] = {
    "All": lambda _: True,
    "Starred": lambda run: run.starred,
    "In progress": lambda run: run.active,
    "With a model": lambda run: run.has_model,
    "Ended without": lambda run: not run.active and not run.has_model,
}


def runs_filter(key: str) -> Callable[[Sequence[RunRecord]], list[RunRecord]]:
    """Draw a search box and a choice of status; returns what picks the runs that match.

    Args:
        key: prefix of the controls' keys.
    """
    words = st.text_input(
        "Search",
        type="search",
        live=True,
        placeholder="Name, dataset, note …",
        key=f"{key}-search",
        width=200,
    )
    shown = st.selectbox("Show", list(SHOWN), key=f"{key}-shown", width=142)
    return lambda runs: matching(runs, shown, words or "")


def matching(runs: Sequence[RunRecord], shown: str, words: str) -> list[RunRecord]:
    """The runs of one kind of `SHOWN` in which every word is found, whatever its case."""
    wanted = words.casefold().split()
    return [run for run in runs if SHOWN[shown](run) and all(word in _text(run) for word in wanted)]


def _text(run: RunRecord) -> str:
    parts = (
        run.name,
        run.dataset_name,
        backbone_title(run.config),
        run.config.backbone,
        status_words(run),
        run.notes,
    )
    return " ".join(parts).casefold()
