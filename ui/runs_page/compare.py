"""Several runs beside each other: their curves in one chart, and what differs between their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pandas as pd
import streamlit as st

from tl_core.errors import DatasetNotFoundError
from tl_core.evaluation.comparing import compare_on_test_images
from tl_core.figures.curves import Progress
from tl_core.runs import RunRecord, dataset_of, list_runs
from tl_core.runs.comparison import Result, ResultKind, best_places, differing_settings, results_of, unique_names
from tl_core.storage.format import MISSING, duration, number, percent
from tl_core.storage.workspace import Workspace
from ui.components.live_chart import comparison_chart
from ui.components.markdown import plain
from ui.components.run_format import run_labels
from ui.runs_page.colors import run_colors
from ui.shell.navigation import COMPARE, TRAIN, go_to
from ui.state.run_feed import following
from ui.state.training_draft import draft

MOST: Final = 20
LUCK: Final = (
    "Only images that one of them has right and the other wrong count. That is about these two models: trained once "
    "more with the same settings, each would come out a little different."
)
AXES: Final[dict[Progress, str]] = {"epoch": "By epoch", "time": "By time"}


def named_in_address() -> list[str] | None:
    """Ids of the runs to compare, from the address; None where there are none."""
    text = st.query_params.get(COMPARE)
    return None if text is None else [run_id for run_id in text.split(",") if run_id][:MOST]


def begin_comparing(runs: Sequence[RunRecord]) -> None:
    """Compare these runs; of a single one or none the reader chooses others there."""
    st.query_params[COMPARE] = ",".join(run.id for run in runs[:MOST])
    st.rerun()


def compare_runs(workspace: Workspace, ids: Sequence[str], key: str) -> None:
    """Draw the comparison; the address keeps which runs it is of, so the ids may come from outside."""
    runs = {run.id: run for run in list_runs(workspace)}
    if missing := [run_id for run_id in ids if run_id not in runs]:
        st.warning(f"{len(missing)} of the runs of this link no longer exist.", icon=":material/link_off:")
    chosen = _choose(runs, [run_id for run_id in ids if run_id in runs], key)
    if len(chosen) < 2:
        st.info("Choose at least two runs to see what differs and which is better.")
        return
    by: Progress = st.radio("Curves", list(AXES), format_func=AXES.__getitem__, horizontal=True, key=f"{key}-by")
    curves = []
    for run, name in zip(chosen, unique_names(chosen), strict=True):
        with following(run) as feed:
            curves.append((name, feed.history))
    colors = run_colors(chosen, list(runs.values()))
    comparison_chart(curves, by, [colors[run.id] for run in chosen], key=f"{key}-chart")
    st.caption("Dashed: the images it learns from. Solid: validation images.")
    st.header("What differs", anchor=False)
    _which_is_better(chosen)
    differences(chosen, "compare-table")
    _clone(chosen, key)


def _which_is_better(chosen: Sequence[RunRecord]) -> None:
    """Of two runs on the same images, how sure it is that the better one is better."""
    if len(chosen) != 2 or chosen[0].dataset_id != chosen[1].dataset_id:
        return
    try:
        met = compare_on_test_images(chosen[0], chosen[1], dataset_of(chosen[0]))
    except DatasetNotFoundError:  # nothing can be said without the images' classes
        return
    if met is not None:
        first, second = unique_names(chosen)
        st.markdown(plain(met.sentence(first, second)), help=LUCK)


def _choose(runs: Mapping[str, RunRecord], ids: list[str], key: str) -> list[RunRecord]:
    # Set before it is drawn: the address is the truth, the control only shows it.
    st.session_state[f"{key}-runs"] = ids
    labels = run_labels(runs.values())
    chosen = st.multiselect(
        "Runs to compare",
        [run.id for run in runs.values() if run.best or run.id in ids],
        format_func=labels.__getitem__,
        key=f"{key}-runs",
        on_change=_remember,
        args=(f"{key}-runs",),
        max_selections=MOST,
        placeholder="Choose runs",
    )
    return [runs[run_id] for run_id in chosen]


def _remember(key: str) -> None:
    st.query_params[COMPARE] = ",".join(st.session_state[key])


def differences(runs: Sequence[RunRecord], key: str) -> None:
    """Draw results, the best of each marked, and the settings that differ, one column per run."""
    results = {result.label: _marked(result, values) for result, values in results_of(runs)}
    differing = differing_settings(runs)
    names = pd.Index(unique_names(runs), name="Run")
    table = pd.DataFrame({**results, **differing}, index=names).T
    st.dataframe(table, alt="Results and differing settings, one column per run", key=key)
    if not differing:
        st.caption("All settings are the same; only chance and the machine differ.")


def _marked(result: Result, values: Sequence[float | None]) -> list[str]:
    best = best_places(result, values)
    shown = map(_SHOWN[result.kind], values)
    return [f"{text} · best" if place in best else text for place, text in enumerate(shown)]


_SHOWN: Final[dict[ResultKind, Callable[[float | None], str]]] = {
    "share": percent,
    "loss": number,
    "whole": lambda value: MISSING if value is None else f"{value:,.0f}",
    "seconds": duration,
}


def _clone(runs: Sequence[RunRecord], key: str) -> None:
    best = max(runs, key=lambda run: run.best.val_accuracy if run.best else -1.0)
    names = run_labels(runs)
    ids = [run.id for run in runs]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Settings of",
            ids,
            index=ids.index(best.id),
            format_func=names.__getitem__,
            key=f"{key}-clone-of",
        )
        if st.button(
            "Train again",
            key=f"{key}-clone",
            icon=":material/model_training:",
            help="Opens the training form with the settings of this run, to change one of them and compare again.",
        ):
            run = next(run for run in runs if run.id == chosen)
            draft().fill(run.config, run.dataset_id, parent=run.id)
            go_to(TRAIN)
