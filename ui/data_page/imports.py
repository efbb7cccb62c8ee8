"""The imports of this process, in the background: starting one, how they stand, how the last one ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.state.background_tasks import BackgroundTasks, Task

IMPORTS: Final = BackgroundTasks[str](  # the result is the id of the dataset
    "import",
    at_a_time=2,  # each may hold a large upload in memory
    remembered=50,
    unexpected="The import ended because of an unexpected error; nothing of it was kept. The log has the details.",
)
_OWN: Final = "import"  # in the address, so that a reloaded page still shows how its import ended


def start_import(workspace: Workspace, title: str, work: Callable[[TaskContext], Dataset]) -> str:
    """Begin an import into a workspace; returns the task's id."""
    return IMPORTS.start(title, lambda task: work(task).id, _subject(workspace))


def remember_import(task_id: str) -> None:
    """Show the end of the import in this browser tab, and in no other."""
    st.query_params[_OWN] = task_id


def running_imports(workspace: Workspace) -> tuple[Task[str], ...]:
    """The imports of the person into a workspace that have not ended, oldest first."""
    return IMPORTS.running(_subject(workspace))


def show_imports(workspace: Workspace) -> bool:
    """Show the imports that are at work; returns whether there are any."""
    running = running_imports(workspace)
    for task in running:
        with st.container(border=True):
            st.markdown(f"**Importing {plain(task.title)}**")
            task_progress(IMPORTS, task, task.id)
    return bool(running)


def take_outcome() -> str | None:
    """Show how this tab's last import ended; returns the id of a dataset that has just been made."""
    task = IMPORTS.find(st.query_params.get(_OWN))
    if task is None or not task.ended:
        return None
    if task.state == "failed":  # stays until the next import, so that it can be read and acted on
        task_progress(IMPORTS, task, task.id)
        return None
    del st.query_params[_OWN]
    if task.state == "stopped":
        st.toast("The import was cancelled; nothing of it was kept.")
    else:
        st.toast(f"Imported {plain(task.title)}.", icon=":material/check_circle:")
    return task.result


def _subject(workspace: Workspace) -> str:
    return f"{workspace.root} {workspace.person or ''}"  # each person sees their own
