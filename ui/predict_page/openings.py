"""Opening an imported model in the background: it takes seconds, can be cancelled, and outlives a reload."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.errors import ModelFileError
from tl_core.imported_models.model_server import end_if_open, hold_open, is_open
from tl_core.imported_models.store import ImportedModel, delete_imported_model
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace
from ui.components.task_progress import task_progress
from ui.state.background_tasks import BackgroundTasks

OPENINGS: Final[BackgroundTasks[None]] = BackgroundTasks(
    "opening",
    at_a_time=1,  # one imported model is open at a time
    remembered=50,
    unexpected="The model could not be opened because of an unexpected error; the server's log has the details.",
)


def start_opening(workspace: Workspace, model: ImportedModel, *, just_imported: bool = False) -> None:
    """Begin to open a model, unless that is going on already.

    Args:
        workspace: where it lies.
        model: to be opened.
        just_imported: it has never been open; if that fails, nothing of it is kept.
    """

    def work(context: TaskContext) -> None:
        try:
            hold_open(model, context)
        except ModelFileError:
            if just_imported:
                delete_imported_model(workspace, model.id)
            raise

    OPENINGS.start(f"Opening {model.name}", work, model.id, alone=True)


def being_opened(model: ImportedModel) -> bool:
    """Whether there is something to show about its opening, even if nobody asks it anything."""
    task = OPENINGS.latest(model.id)
    return task is not None and task.state != "done"


def opened(workspace: Workspace, model: ImportedModel, key: str) -> bool:
    """Open the model if it is not open; draw how that stands, with a way to cancel it.

    Returns:
        Whether it answers at once.
    """
    if is_open(model):
        return True
    task = OPENINGS.latest(model.id)
    if task is None or task.state == "done":  # never opened since the server was started, or ended when idle
        start_opening(workspace, model)
        task = OPENINGS.latest(model.id)
    assert task is not None  # noqa: S101  # it has just been started
    task_progress(OPENINGS, task, key)
    if task.ended:
        st.button(
            "Open it again",
            key=f"{key}-again",
            icon=":material/refresh:",
            on_click=start_opening,
            args=(workspace, model),
        )
    return False


def give_up(model: ImportedModel) -> None:
    """Close the model, or stop opening it; whoever is asking it gets a sentence."""
    for task in OPENINGS.running(model.id):
        OPENINGS.cancel(task.id)
    end_if_open(model)


def why_gone(model_id: str, key: str) -> None:
    """Say why a model that the address names is not there: it was refused when it was opened, or is forgotten."""
    task = OPENINGS.latest(model_id)
    if task is not None and (task.error or not task.ended):  # the file is gone, the sentence comes soon
        task_progress(OPENINGS, task, key)
    else:
        st.error("The model of this link is no longer here: open its file again.", icon=":material/error:")
