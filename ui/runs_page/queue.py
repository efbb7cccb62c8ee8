"""The trainings that wait: their order, and the buttons that change it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from tl_core.jobs import manager
from tl_core.runs import RunRecord
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.run_format import node_line
from ui.shell.errors import error_boundary


def waiting_runs(workspace: Workspace, runs: Mapping[str, RunRecord], key: str) -> None:
    """Draw what waits, in its order; nothing where nothing does.

    Args:
        workspace: of the queue.
        runs: all that the person may see, by id; what is somebody else's alone is not named.
        key: prefix of the controls' keys.
    """
    jobs = manager(workspace)
    waiting = [job.run_id for job in jobs.jobs() if job.position]
    mine = jobs.movable()
    for job in jobs.jobs():
        if not job.position and job.run_id in runs and (line := node_line(runs[job.run_id])):
            st.caption(f"{plain(runs[job.run_id].name)} {line}")
    if not waiting:
        return
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**{count(len(waiting), 'training waits', 'trainings wait')}**, in this order")
        for place, run_id in enumerate(waiting, start=1):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                name = plain(runs[run_id].name) if run_id in runs else "Somebody else's training"
                st.markdown(f"{place}. {name}", width="stretch")
                if run_id in mine:
                    with st.container(horizontal=True, width="content", gap="xsmall"):
                        _buttons(workspace, run_id, mine, f"{key}-{run_id}")


def _buttons(workspace: Workspace, run_id: str, mine: tuple[str, ...], key: str) -> None:
    for label, icon, steps, end in (
        ("Earlier", ":material/arrow_upward:", -1, mine[0]),
        ("Later", ":material/arrow_downward:", 1, mine[-1]),
    ):
        st.button(
            label,
            key=f"{key}-{steps}",
            icon=icon,
            disabled=run_id == end,
            on_click=_move,
            args=(workspace, run_id, steps),
        )
    st.button(
        "Withdraw",
        key=f"{key}-withdraw",
        icon=":material/remove_from_queue:",
        help="Takes it out of the queue. Its settings stay in the list of runs.",
        on_click=_withdraw,
        args=(workspace, run_id),
    )


@error_boundary()
def _move(workspace: Workspace, run_id: str, steps: int) -> None:
    manager(workspace).move(run_id, steps)


@error_boundary()
def _withdraw(workspace: Workspace, run_id: str) -> None:
    manager(workspace).stop(run_id)
