"""The imports of this process, in the background: starting one, how they stand, how the last one ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from tl_core.data import Dataset, find_dataset
from tl_core.errors import TransferLearningError
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.shell.scrolling import show_from_here
from ui.state.background_tasks import BackgroundTasks, Task

IMPORTS: Final = BackgroundTasks[str](  # the result is the id of the dataset
    "import",
    at_a_time=2,  # each may hold a large upload in memory
    remembered=50,
    unexpected="The import ended because of an unexpected error; nothing of it was kept. The log has the details.",
)
NEW_PANEL: Final = "new-dataset"  # key of the panel for a new dataset, and in the session whether it is open
_FAILED: Final = "import-failed"  # in the session: the import whose end has opened the panel
_EXPECTED: Final = "import-expected"  # in the session: how many image files the import was shown to have
_OWN: Final = "import"  # in the address, so that a reloaded page still shows how its import ended


def start_import(workspace: Workspace, title: str, work: Callable[[TaskContext], Dataset]) -> str:
    """Begin an import into a workspace; returns the task's id."""
    return IMPORTS.start(title, lambda task: work(task).id, _subject(workspace))


def remember_import(task_id: str, files: int = 0) -> None:
    """Show the end of the import in this browser tab, and in no other.

    Args:
        task_id: of the import.
        files: image files that it was shown to have; 0 where nothing was shown.
    """
    st.query_params[_OWN] = task_id
    st.session_state[_EXPECTED] = (task_id, files)


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


def take_outcome(workspace: Workspace) -> str | None:
    """Show how this tab's last import ended; returns the id of a dataset that has just been made.

    The panel for a new dataset closes when one is there, and stays open where it could not be made.
    """
    task = IMPORTS.find(st.query_params.get(_OWN))
    if task is None or not task.ended:
        return None
    if task.state == "failed":  # stays until the next import, so that it can be read and acted on
        show_from_here(task.id, key="import-failed-top")  # it may have been begun from far below
        st.error(f"**{plain(task.title)}** was not imported. {plain(task.error or '')}", icon=":material/error:")
        if st.session_state.get(_FAILED) != task.id:  # once: who closes the panel then finds it closed
            st.session_state[_FAILED] = task.id
            st.session_state[NEW_PANEL] = True
        return None
    del st.query_params[_OWN]
    if task.state == "stopped":
        st.toast("Import cancelled. Nothing was kept.")
    else:
        st.session_state[NEW_PANEL] = False
        st.toast(f"{_what_came(workspace, task)}.", icon=":material/check_circle:")
    return task.result


def handed_over(form: str) -> str:
    """The key in the session of the import that has taken the pictures of a form, and of their collection."""
    return f"handed-over-{form}"


def come_back(form: str) -> str:
    """The collection that a form gets back, once: its import has failed or was cancelled. Else empty."""
    task_id, collection = st.session_state.get(handed_over(form), ("", ""))
    task = IMPORTS.find(task_id)
    if task is None or not task.ended:
        return ""
    del st.session_state[handed_over(form)]
    return "" if task.state == "done" else str(collection)


def _what_came(workspace: Workspace, task: Task[str]) -> str:
    try:
        dataset = find_dataset(workspace, task.result or "")
    except TransferLearningError:  # deleted at this moment
        return f"{plain(task.title)} was imported"
    images, classes = count(len(dataset.images), "image"), count(len(dataset.classes), "class", "classes")
    if dataset.revision > 1:
        return f"{plain(task.title)} added: **{plain(dataset.name)}** now has {images} in {classes}"
    source = "" if task.title == dataset.name else f" from {plain(task.title)}"
    shown_for, files = st.session_state.get(_EXPECTED, ("", 0))
    broken = files - len(dataset.images) if shown_for == task.id else 0
    unread = f". {count(broken, 'file')} of {files:,} could not be read" if broken > 0 else ""
    return f"Imported **{plain(dataset.name)}**{source}: {images} in {classes}{unread}"


def _subject(workspace: Workspace) -> str:
    return f"{workspace.root} {workspace.person or ''}"  # each person sees their own
