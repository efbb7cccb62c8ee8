"""What is training now, what waits, and what was finished last."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tl_core.errors import RunNotFoundError
from tl_core.runs import RunRecord, find_run
from tl_core.storage.format import moment, percent
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.shell.errors import error_boundary
from ui.shell.navigation import RUNS, TRAIN, page_link
from ui.state.run_feed import following

REFRESH_SECONDS = 2.0
MOST_CUT_OFF = 3


def show_activity(workspace: Workspace, runs: Sequence[RunRecord]) -> None:
    """Show the active runs, kept up to date while there are any, else the last finished one."""
    st.header("Running now", anchor=False)
    active = tuple(run.id for run in reversed(runs) if run.active)
    st.fragment(_activity, run_every=REFRESH_SECONDS if active else None)(workspace, active)
    for run in [run for run in runs if run.status == "interrupted"][:MOST_CUT_OFF]:
        _cut_off(run)
    finished = next((run for run in runs if run.has_model and not run.active), None)
    if finished:
        _last_finished(finished)


@error_boundary()
def _activity(workspace: Workspace, run_ids: tuple[str, ...]) -> None:
    if not run_ids:
        st.caption("Nothing is training at the moment.")
    for run_id in run_ids:
        try:
            run = find_run(workspace, run_id)
        except RunNotFoundError:  # cancelled since
            st.rerun()
        if not run.active:
            st.rerun()
        _active(run)


def _active(run: RunRecord) -> None:
    with st.container(border=True), following(run) as feed:
        progress = feed.progress
        epochs = f" · epoch {progress.epoch} of {progress.epochs}" if progress.epoch else ""
        words = (
            progress.text or "Waiting in the queue" if run.status == "queued" else progress.text or "Getting ready …"
        )
        st.markdown(f"**{plain(run.name)}**")
        st.progress(progress.fraction, text=f"{words}{epochs}")
        page_link(TRAIN, "Watch it", run=run.id)


def _cut_off(run: RunRecord) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/power_off: Cut off while it worked: **{plain(run.name)}**.")
        page_link(RUNS, "Resume it", run=run.id)


def _last_finished(run: RunRecord) -> None:
    accuracy = f": {percent(run.best.val_accuracy)} of the validation images right" if run.best else ""
    when = f" ({moment(run.finished)})" if run.finished else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Last finished: **{plain(run.name)}**{accuracy}{when}.")
        page_link(RUNS, "See the run", run=run.id)
