"""All runs in a table, and the choice of those that it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import pandas as pd
import streamlit as st

from tl_core.config.format_settings import backbone_title, format_frozen, format_rates
from tl_core.figures.history import accuracy_sparkline
from tl_core.figures.palette import VALIDATION
from tl_core.runs import RunRecord, has_tags
from tl_core.runs.comparison import run_seconds
from ui.components.run_format import format_status, run_labels

ALT: Final = "All runs, newest first: status, validation accuracy, dataset, backbone, settings and duration"
ROW_HEIGHT: Final = 38  # px
# In px; *Open*, the name and the accuracy fit side by side on a phone of 390 px.
OPEN_WIDTH: Final = 66
NAME_WIDTH: Final = 205
ACCURACY_WIDTH: Final = 80
STATUS_WIDTH: Final = 170
MAX_HEIGHT: Final = 620  # px; more runs scroll inside the table
FILTERS: Final[dict[str, Callable[[RunRecord], bool]]] = {
    "All": lambda _: True,
    "Starred": lambda run: run.starred,
    "In progress": lambda run: run.active,
    "With a model": lambda run: run.has_model,
    "Ended without": lambda run: not run.active and not run.has_model,
}


def runs_table(runs: Sequence[RunRecord], key: str, on_open: Callable[[str], None]) -> None:
    """Draw the runs; a click on a row's *Open* calls ``on_open`` with the id of that run.

    Args:
        runs: in the order in which they are shown; at least one.
        key: names the table on its page; the same key keeps its scroll position and its sorting.
    """
    ids = tuple(run.id for run in runs)
    table = pd.DataFrame([_row(run) for run in runs])
    st.dataframe(
        table if any(run.tags for run in runs) else table.drop(columns="tags"),
        hide_index=True,
        column_config=_columns(f"{key}-open", ids, on_open),
        key=key,
        height=min(MAX_HEIGHT, ROW_HEIGHT * (len(runs) + 1) + 2),
        row_height=ROW_HEIGHT,
        placeholder="–",
        alt=ALT,
    )


def run_chooser(runs: Sequence[RunRecord], key: str, on_open: Callable[[str], None]) -> None:
    """Draw a list of names that opens a run as well: the buttons inside the table cannot be reached by keyboard."""
    names = run_labels(runs)

    def chosen() -> None:
        if (run_id := st.session_state[key]) is not None:
            on_open(run_id)

    st.selectbox(
        "Open",
        list(names),
        index=None,
        format_func=lambda run_id: names.get(run_id, ""),
        placeholder="A run by its name",
        key=key,
        on_change=chosen,
        width=280,
    )


def _row(run: RunRecord) -> dict[str, Any]:
    return {
        "open": "Open",
        "run": f"★ {run.name}" if run.starred else run.name,
        "accuracy": run.best.val_accuracy * 100 if run.best else None,
        "curve": list(accuracy_sparkline(run)),
        "status": format_status(run),
        "tags": list(run.tags),
        "dataset": run.dataset_name,
        "backbone": backbone_title(run.config),
        "frozen": format_frozen(run.config),
        "rates": format_rates(run.config),
        "seconds": run_seconds(run),
        "created": datetime.fromisoformat(run.created),
    }


def _columns(click_key: str, ids: tuple[str, ...], on_open: Callable[[str], None]) -> dict[str, Any]:
    column = st.column_config
    return {
        "open": column.ButtonColumn(
            "", width=OPEN_WIDTH, key=click_key, on_click=_open, args=(click_key, ids, on_open)
        ),
        "run": column.TextColumn("Run", width=NAME_WIDTH),
        "accuracy": column.NumberColumn(
            "Accuracy",
            width=ACCURACY_WIDTH,
            format="%.1f %%",
            help="Right answers among the validation images, by the model that is kept.",
        ),
        "curve": column.LineChartColumn(
            "Over the epochs",
            y_min=0,
            y_max=1,
            color=VALIDATION,
            help="Validation accuracy after each epoch, from 0 to 100 %.",
        ),
        "status": column.TextColumn("Status", width=STATUS_WIDTH),
        "tags": "Tags",
        "dataset": "Dataset",
        "backbone": "Backbone",
        "frozen": "Frozen layers",
        "rates": column.TextColumn(
            "Learning rate", help="Of feature extraction and, after “then”, of fine-tuning where there was any."
        ),
        "seconds": column.NumberColumn("Duration", format="duration"),
        "created": column.DatetimeColumn("Made", format="distance"),
    }


def _open(click_key: str, ids: tuple[str, ...], on_open: Callable[[str], None]) -> None:
    on_open(ids[st.session_state[click_key].row])


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
    shown = st.selectbox("Show", list(FILTERS), key=f"{key}-shown", width=142)
    chosen: list[str] = []
    if tags:
        # What nobody has any more would stay chosen, and nothing would show that it is.
        state = f"{key}-tags"
        st.session_state[state] = [tag for tag in st.session_state.get(state, []) if tag in tags]
        chosen = st.multiselect(
            "Tags", tags, key=state, placeholder="Any", help="Runs with all of the chosen tags.", width=200
        )
    return lambda runs: matching(runs, shown, words or "", chosen)


def matching(runs: Sequence[RunRecord], shown: str, words: str, tags: Sequence[str] = ()) -> list[RunRecord]:
    """The runs of one kind of `FILTERS` with all these tags in which every word is found, whatever its case."""
    wanted = words.casefold().split()
    found = [run for run in runs if FILTERS[shown](run) and has_tags(run, tags)]
    return [run for run in found if all(word in _text(run) for word in wanted)]


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
