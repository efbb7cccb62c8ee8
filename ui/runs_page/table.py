"""All runs in a table, and the choice of those that it shows."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import pandas as pd
import streamlit as st

from tl_core.config.format_settings import backbone_title, format_frozen, format_rates
from tl_core.figures.history import accuracy_sparkline
from tl_core.figures.palette import VALIDATION
from tl_core.runs import RunRecord, has_tags
from tl_core.runs.comparison import changes_between, most_similar_earlier, run_seconds, test_accuracy
from ui.components.run_format import format_status, run_labels

ALT: Final = "All runs, newest first: test and validation accuracy, what was changed, age, status and settings"
ROW_HEIGHT: Final = 38  # px
# In px; the box, the dot, the name and the test accuracy fit side by side on a phone of 390 px, and all up to the
# age beside the curves in a window of 1440 px.
DOT_WIDTH: Final = 36
NAME_WIDTH: Final = 212
TEST_WIDTH: Final = 72
VALIDATION_WIDTH: Final = 84
AGE_WIDTH: Final = 112
CHANGED_WIDTH: Final = 220
CHANGED_CHARACTERS: Final = 30  # that fit into it
STATUS_WIDTH: Final = 170
MAX_HEIGHT: Final = 620  # px; more runs scroll inside the table
MOST_TICKED: Final = 8  # as many colours as there are
ORDER: Final = ("dot", "run", "test", "accuracy", "created", "changed", "status", "tags", "dataset", "curve")
MORE: Final = ("backbone", "frozen", "rates", "seconds")
FILTERS: Final[dict[str, Callable[[RunRecord], bool]]] = {
    "All": lambda _: True,
    "Starred": lambda run: run.starred,
    "In progress": lambda run: run.active,
    "With a model": lambda run: run.has_model,
    "Without a model": lambda run: not run.active and not run.has_model,
}


def runs_table(
    runs: Sequence[RunRecord], colors: Mapping[str, str], key: str, on_open: Callable[[str], None]
) -> None:
    """Draw the runs with a box to tick before each; a click anywhere else in a row opens that run.

    Args:
        runs: newest first; at least one.
        colors: of the curves beside the table, by the id of the run.
        key: names the table on its page; `ticked` tells what is ticked in it.
        on_open: gets the id of the run that was clicked.
    """
    ids = tuple(run.id for run in runs)
    table = pd.DataFrame([_row(run, runs, colors.get(run.id)) for run in runs])
    tagged = any(run.tags for run in runs)
    widget = _table_key(key, ids)
    st.dataframe(
        table if tagged else table.drop(columns="tags"),
        hide_index=True,
        column_order=[name for name in (*ORDER, *MORE) if tagged or name != "tags"],
        column_config=_columns(),
        key=widget,
        height=min(MAX_HEIGHT, ROW_HEIGHT * (len(runs) + 1) + 2),
        row_height=ROW_HEIGHT,
        placeholder="–",
        alt=ALT,
        on_select=partial(_selected, widget, key, ids, on_open),
        selection_mode=["multi-row", "single-cell"],
        selection_default={"selection": {"rows": sorted(ids.index(run.id) for run in ticked(runs, key))}},
    )


def ticked(runs: Sequence[RunRecord], key: str) -> list[RunRecord]:
    """The runs that are ticked and still there, in the order in which they were."""
    by_id = {run.id: run for run in runs}
    return [by_id[run_id] for run_id in st.session_state.get(_ticked_key(key), []) if run_id in by_id][:MOST_TICKED]


def _ticked_key(key: str) -> str:
    return f"{key}-ticked"


def _table_key(key: str, ids: tuple[str, ...]) -> str:
    """A key that changes with the rows, as the table remembers the places of what is ticked and not the runs."""
    if st.session_state.get(f"{key}-rows") != ids:
        st.session_state[f"{key}-rows"] = ids
        st.session_state[f"{key}-number"] = st.session_state.get(f"{key}-number", 0) + 1
    return f"{key}-{st.session_state[f'{key}-number']}"


def _selected(widget: str, key: str, ids: tuple[str, ...], on_open: Callable[[str], None]) -> None:
    selection = st.session_state[widget]["selection"]
    if clicked := [row for row, _ in selection["cells"]]:
        on_open(ids[clicked[0]])
        return
    now = [ids[row] for row in selection["rows"] if row < len(ids)]
    before = [run_id for run_id in st.session_state.get(_ticked_key(key), []) if run_id in now]
    st.session_state[_ticked_key(key)] = [*before, *(run_id for run_id in now if run_id not in before)]


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
        width=240,
    )


def _row(run: RunRecord, runs: Sequence[RunRecord], color: str | None) -> dict[str, Any]:
    test = test_accuracy(run)
    return {
        "dot": _dot(color),
        "run": f"★ {run.name}" if run.starred else run.name,
        "test": None if test is None else test * 100,
        "accuracy": run.best.val_accuracy * 100 if run.best else None,
        "changed": _changed(run, runs),
        "created": datetime.fromisoformat(run.created),
        "status": format_status(run),
        "tags": list(run.tags),
        "dataset": run.dataset_name,
        "curve": list(accuracy_sparkline(run)),
        "backbone": backbone_title(run.config),
        "frozen": format_frozen(run.config),
        "rates": format_rates(run.config),
        "seconds": run_seconds(run),
    }


def _changed(run: RunRecord, runs: Sequence[RunRecord]) -> str:
    earlier = most_similar_earlier(run, runs)
    if earlier is None:
        return "first on these images"
    changes = changes_between(earlier.config, run.config, CHANGED_CHARACTERS)
    if earlier.dataset_revision != run.dataset_revision:
        changes.insert(0, f"Images: revision {earlier.dataset_revision} → {run.dataset_revision}")
    return ", ".join(changes) or "nothing"


def _dot(color: str | None) -> str:
    """A circle in the colour of the run's curves, as the address of a picture; an empty one where none are shown."""
    circle = f'<circle cx="8" cy="8" r="4" fill="{color}"/>' if color else ""
    picture = f'<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16">{circle}</svg>'
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "dot": column.ImageColumn("", width=DOT_WIDTH, help="The colour of its curves."),
        "run": column.TextColumn("Run", width=NAME_WIDTH, help="Click a row to open the run."),
        "test": column.NumberColumn(
            "Test",
            width=TEST_WIDTH,
            format="%.1f %%",
            help="Right answers among the test images, which took no part in the training.",
        ),
        "accuracy": column.NumberColumn(
            "Validation",
            width=VALIDATION_WIDTH,
            format="%.1f %%",
            help="Right answers among the validation images, by the model that is kept.",
        ),
        "changed": column.TextColumn(
            "Changed", width=CHANGED_WIDTH, help="Against the most similar earlier run on the same images."
        ),
        "created": column.DatetimeColumn("Age", width=AGE_WIDTH, format="distance"),
        "status": column.TextColumn("Status", width=STATUS_WIDTH),
        "tags": "Tags",
        "dataset": "Dataset",
        "curve": column.LineChartColumn(
            "Over the epochs",
            color=VALIDATION,
            help="Validation accuracy after each epoch, from its lowest to its highest value.",
        ),
        "backbone": "Backbone",
        "frozen": "Frozen layers",
        "rates": column.TextColumn(
            "Learning rate", help="Of feature extraction and, after “then”, of fine-tuning where there was any."
        ),
        "seconds": column.NumberColumn("Duration", format="duration"),
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
    shown = st.selectbox("Show", list(FILTERS), key=f"{key}-shown", width=142)
    chosen: list[str] = []
    if tags:
        # What nobody has any more would stay chosen, and nothing would show that it is.
        state = f"{key}-tags"
        st.session_state[state] = [tag for tag in st.session_state.get(state, []) if tag in tags]
        chosen = st.multiselect(
            "Tags", tags, key=state, placeholder="Any", help="Runs with all of the chosen tags.", width=160
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
