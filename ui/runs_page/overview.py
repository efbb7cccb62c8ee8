"""All runs on one page: the table with what is ticked in it, its actions, and the curves beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from tl_core.runs import RunRecord, list_runs, tags_of
from tl_core.runs.comparison import unique_names
from tl_core.storage.workspace import Workspace
from ui.components.empty_state import no_run_yet
from ui.components.live_chart import comparison_chart
from ui.runs_page.colors import run_colors
from ui.runs_page.compare import begin_comparing, differences
from ui.runs_page.networks import networks_section
from ui.runs_page.queue import waiting_runs
from ui.runs_page.storage import cache_section, offer_old_runs
from ui.runs_page.table import run_chooser, runs_filter, runs_table, ticked
from ui.shell.errors import error_boundary
from ui.shell.navigation import EVALUATE, PREDICT, TRAIN, go_to, page_button
from ui.state.run_feed import following
from ui.state.training_draft import draft

REFRESH_SECONDS: Final = 3.0
TABLE: Final = "runs-table"
AT_FIRST: Final = 2  # of the newest runs, which are compared while none is ticked
# Shares of the table and of the curves beside it. All up to the age fits into a window of 1440 px; while no run is
# ticked there are no curves, and the table has it all.
BESIDE_CURVES: Final = (73, 27)
ALONE: Final = (999, 1)


def show_all(workspace: Workspace) -> None:
    """The list of runs, or what to do where there is none."""
    runs = list_runs(workspace)
    if not runs:
        no_run_yet(workspace, "runs-empty")
        networks_section(workspace, "runs-networks")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pick = runs_filter("runs", tags_of(runs))
        run_chooser(pick(runs), "runs-open", open_run)
    active = any(run.active for run in runs)
    st.fragment(_table_and_curves, run_every=REFRESH_SECONDS if active else None)(workspace, pick, active)
    cache_section(workspace, "runs")
    networks_section(workspace, "runs-networks")
    offer_old_runs(workspace, runs, "runs")


def open_run(run_id: str) -> None:
    """Show one run instead of the list, under an address that can be bookmarked and sent."""
    st.query_params["run"] = run_id
    st.rerun()


@error_boundary()
def _table_and_curves(
    workspace: Workspace, pick: Callable[[Sequence[RunRecord]], list[RunRecord]], active: bool
) -> None:
    runs = list_runs(workspace)
    if active and not any(run.active for run in runs):
        st.rerun()  # the last one has ended: no more refreshing
    waiting_runs(workspace, {run.id: run for run in runs}, "runs-waiting")
    shown = pick(runs)
    if not shown:
        st.info("No run matches. Search for something else, or show all runs.")
        return
    chosen = ticked(shown, TABLE)
    colors = run_colors(chosen, runs)
    _actions(shown, chosen)
    left, right = st.columns(BESIDE_CURVES if chosen else ALONE, gap="medium")
    with left:
        runs_table(shown, colors, TABLE, open_run)
        if len(chosen) > 1:
            differences(chosen, "runs-differences")
    with right:
        _curves(chosen, [colors[run.id] for run in chosen])


def _actions(shown: Sequence[RunRecord], chosen: Sequence[RunRecord]) -> None:
    """One bar: what can be done with the run that is ticked, or with several."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if len(chosen) == 1:
            _actions_of_one(chosen[0])
        elif sum(run.best is not None for run in shown) >= AT_FIRST:
            latest = [run for run in shown if run.best][:AT_FIRST]
            label = f"Compare these {len(chosen)}" if chosen else "Compare"
            if st.button(
                label,
                key="runs-compare",
                icon=":material/compare_arrows:",
                help="Curves over each other, and what differs; the latest two where none is ticked.",
            ):
                begin_comparing(chosen or latest)
        st.caption("Click a row to open the run. Tick runs to see their curves.", width="content")


def _actions_of_one(run: RunRecord) -> None:
    if st.button("Open", key="runs-act-open", icon=":material/open_in_full:"):
        open_run(run.id)
    if run.has_model:
        page_button(PREDICT, "Predict", key="runs-act-predict", primary=False, run=run.id)
        page_button(EVALUATE, "Evaluate", key="runs-act-evaluate", primary=False, run=run.id)
    if st.button(
        "Train again",
        key="runs-act-again",
        icon=TRAIN.icon,
        help="Opens the training form with the settings of this run, to change one of them and compare.",
    ):
        draft().fill(run.config, run.dataset_id, parent=run.id)
        go_to(TRAIN)


def _curves(runs: Sequence[RunRecord], colors: Sequence[str]) -> None:
    curves = []
    for run, name in zip(runs, unique_names(runs), strict=True):
        with following(run) as feed:
            curves.append((name, feed.history))
    if curves:
        comparison_chart(curves, "epoch", colors, key="runs-chart")
        st.caption("Dashed: the images it learns from. Solid: validation images.")
