"""How work in the background stands: its progress with the button that cancels it, or why it has no result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import streamlit as st

from tl_core.data.imports.download import DOWNLOADING
from tl_core.machine.progress import Progress, TaskContext
from tl_core.storage.format import count
from ui.components.markdown import plain
from ui.shell.errors import error_boundary
from ui.state.background_tasks import BackgroundTasks, Task

REFRESH_SECONDS: Final = 0.5


def task_progress(tasks: BackgroundTasks[Any], task: Task[Any], key: str, *, cancel: bool = True) -> bool:
    """Draw a task: while it works, a bar and a button, kept up to date; the page is drawn again when it ends.

    Args:
        tasks: of its kind.
        task: as it stood when the page was drawn.
        key: begins that of the button.
        cancel: whether there is a button; else the page has its own way to end the work.

    Returns:
        Whether it is done and has its result; drawing that is left to the caller.
    """
    if not task.ended:
        st.fragment(_at_work, run_every=REFRESH_SECONDS)(tasks, task.id, key, cancel=cancel)
    elif task.error:
        st.error(task.error, icon=":material/error:")
    elif task.state == "stopped":
        st.info(f"{plain(task.title)} was cancelled.", icon=":material/info:")
    return task.state == "done"


@contextmanager
def waiting_bar(text: str = "") -> Iterator[TaskContext]:
    """Draw a bar for work that the page itself waits for; leaving the page ends the work.

    Args:
        text: on the bar until the first image is done; without one there is no bar until then.
    """
    bar = st.empty()
    if text:
        bar.progress(0.0, text)

    def show(at: Progress) -> None:
        if at.total:
            bar.progress(at.fraction, f"{at.done:,.0f} of {count(int(at.total), 'image')}")

    try:
        yield TaskContext(show)
    finally:
        bar.empty()


@error_boundary()
def _at_work(tasks: BackgroundTasks[Any], task_id: str, key: str, *, cancel: bool) -> None:
    task = tasks.find(task_id)
    if task is None or task.ended:
        st.rerun()
    st.progress(task.progress.fraction, text="Cancelling …" if task.stopping else _format_progress(tasks, task))
    if cancel:
        st.button(
            "Cancel",
            key=f"{key}-cancel",
            icon=":material/close:",
            disabled=task.stopping,
            on_click=tasks.cancel,
            args=(task.id,),
        )


def _format_progress(tasks: BackgroundTasks[Any], task: Task[Any]) -> str:
    at = task.progress
    if task.state == "waiting":
        return f"Waiting for another {tasks.name} to end …"
    if at.text == DOWNLOADING:
        return f"Downloading: {at.done / 1e6:.0f} of {at.total / 1e6:.0f} MB"
    if at.text:
        return f"{at.text} …"
    return f"{at.done:,.0f} of {count(int(at.total), tasks.unit)}" if at.total else "Getting ready …"
