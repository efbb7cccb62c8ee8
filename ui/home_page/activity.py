"""What is training now, what was cut off, and the last runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import streamlit as st

from tl_core.errors import RunNotFoundError
from tl_core.planning.time_left import time_left
from tl_core.runs import RunRecord, find_run
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.run.run_panel import planned_of, progress_now
from ui.components.run_format import accuracy_of, format_status
from ui.shell.errors import error_boundary
from ui.shell.navigation import RUNS, TRAIN, page_link
from ui.state.run_feed import following

REFRESH_SECONDS: Final = 2.0
MOST_CUT_OFF: Final = 3
LAST_RUNS: Final = 5


def show_activity(workspace: Workspace, runs: Sequence[RunRecord]) -> None:
    """Show the active runs, kept up to date while there are any, and those that were cut off."""
    active = tuple(run.id for run in reversed(runs) if run.active)
    if active:
        st.header("Running now", anchor=False)
        st.fragment(_activity, run_every=REFRESH_SECONDS)(workspace, active)
    for run in [run for run in runs if run.status == "interrupted"][:MOST_CUT_OFF]:
        _cut_off(run)


def show_last_runs(runs: Sequence[RunRecord]) -> None:
    """The last runs that have ended, newest first, each a link."""
    ended = [run for run in runs if not run.active][:LAST_RUNS]
    if not ended:
        return
    st.header("Last runs", anchor=False)
    with st.container(gap="xxsmall", key="home-runs"):
        for run in ended:
            measured = accuracy_of(run)
            how = f"{percent(measured[0])} {measured[1]}" if measured else format_status(run)
            page_link(RUNS, f":gray[{how}] · {plain(run.name)}", run=run.id)


@error_boundary()
def _activity(workspace: Workspace, run_ids: tuple[str, ...]) -> None:
    for run_id in run_ids:
        try:
            run = find_run(workspace, run_id)
        except RunNotFoundError:  # discarded since
            st.rerun()
        if not run.active:
            st.rerun()
        _active(workspace, run)


def _active(workspace: Workspace, run: RunRecord) -> None:
    with st.container(border=True), following(run) as feed:
        progress = progress_now(run, feed)
        left = time_left(run.config, progress, planned_of(run.id, str(run.config), run, workspace), time.time())
        epochs = f" · epoch {left.epoch} of {left.epochs}" if left.epoch else ""
        words = progress.text or ("Waiting in the queue" if run.status == "queued" else "Getting ready …")
        st.markdown(f"**{plain(run.name)}**")
        st.progress(feed.furthest(run, left.fraction), text=f"{words}{epochs}")
        page_link(TRAIN, "Watch it", run=run.id)


def _cut_off(run: RunRecord) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/power_off: **{plain(run.name)}** was cut off while it trained.", width="stretch")
        page_link(RUNS, "Resume it" if run.dataset_path.is_dir() else "Open it", run=run.id)
