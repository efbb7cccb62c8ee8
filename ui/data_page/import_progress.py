"""Imports on the page: their progress while they work, and how the last one ended."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.shell.errors import error_boundary
from ui.state.imports import DOWNLOADING, IMPORTS, ImportTask, running_imports

REFRESH_SECONDS: Final = 0.5
_MINE: Final = "import"  # in the address, so that a reloaded page still tells how its import ended


def remember_import(task_id: str) -> None:
    """Let this browser tab, and no other, tell how the import ends."""
    st.query_params[_MINE] = task_id


def show_imports(workspace: Workspace) -> bool:
    """Show the imports that are at work; returns whether there are any."""
    running = tuple(task.id for task in running_imports(workspace))
    st.fragment(_progress, run_every=REFRESH_SECONDS if running else None)(running)
    return bool(running)


def take_outcome() -> str | None:
    """Tell how this tab's last import ended; returns the id of a dataset that has just been made."""
    task = IMPORTS.find(st.query_params.get(_MINE))
    if task is None or not task.ended:
        return None
    if task.state == "failed":  # stays until the next import, so that it can be read and acted on
        st.error(task.error, icon=":material/error:")
        return None
    del st.query_params[_MINE]
    if task.state == "stopped":
        st.toast("The import was cancelled; nothing of it was kept.")
    else:
        st.toast(f"{plain(task.title)} is here.", icon=":material/check_circle:")
    return task.result


def _progress(task_ids: tuple[str, ...]) -> None:
    with error_boundary():
        tasks = [task for task_id in task_ids if (task := IMPORTS.find(task_id))]
        for task in tasks:
            if task.ended:
                st.rerun()
            _one(task)


def _one(task: ImportTask) -> None:
    with st.container(border=True):
        st.markdown(f"**Importing {plain(task.title)}**")
        task_progress(IMPORTS, task, _in_words(task), f"cancel-{task.id}")


def _in_words(task: ImportTask) -> str:
    if task.stage == DOWNLOADING:
        return f"Downloading: {task.done / 1e6:.0f} of {task.total / 1e6:.0f} MB"
    if task.total:
        return f"{task.done:,.0f} of {task.total:,.0f} images"
    return "Waiting for another import to end" if task.state == "waiting" else "Getting ready …"
