"""Runs: every training there has been, and one of them opened."""

import streamlit as st

from tl_core.runs import list_runs, tags_of
from tl_core.storage.workspace import Workspace
from ui.runs_page.compare import begin_comparing, compare_runs, named_in_address
from ui.runs_page.details import run_details
from ui.runs_page.queue import waiting_runs
from ui.runs_page.storage import cache_section, offer_old_runs
from ui.runs_page.table import run_chooser, runs_filter, runs_table
from ui.shell.errors import error_boundary
from ui.shell.navigation import RUNS, TRAIN, page_button
from ui.shell.page import page_setup

REFRESH_SECONDS = 3.0


def show_all(workspace: Workspace) -> None:
    """The list of runs, or what to do where there is none."""
    runs = list_runs(workspace)
    if not runs:
        st.info("There is no run yet. Every training you start is kept here, with its curves and its model.")
        page_button(TRAIN, "Start a training")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pick = runs_filter("runs", tags_of(runs))
        run_chooser(pick(runs), "runs-open", open_run)
        if sum(run.best is not None for run in runs) >= 2 and st.button(
            "Compare", icon=":material/compare_arrows:", help="Curves over each other, and what differs."
        ):
            begin_comparing(pick(runs))

    @error_boundary()
    def table() -> None:
        now = list_runs(workspace)
        if active and not any(run.active for run in now):
            st.rerun()  # the last one has ended: no more refreshing
        waiting_runs(workspace, {run.id: run for run in now}, "runs-waiting")
        if shown := pick(now):
            runs_table(shown, "runs-table", open_run)
        else:
            st.info("No run matches. Search for something else, or show all runs.")

    active = any(run.active for run in runs)
    st.fragment(table, run_every=REFRESH_SECONDS if active else None)()
    cache_section(workspace, "runs")
    offer_old_runs(workspace, runs, "runs")


def open_run(run_id: str) -> None:
    """Show one run instead of the list, under an address that can be bookmarked and sent."""
    st.query_params["run"] = run_id
    st.rerun()


with page_setup("Runs", RUNS.icon, lead="How did each training go, and which one is best?") as workspace:
    opened = st.query_params.get("run")
    compared = named_in_address()
    if opened is None and compared is None:
        show_all(workspace)
    else:
        if st.button("All runs", icon=":material/arrow_back:", key="runs-all"):
            st.query_params.clear()
            st.rerun()
        if opened is not None:
            run_details(workspace, opened, key="runs")
        elif compared is not None:
            compare_runs(workspace, compared, key="compare")
