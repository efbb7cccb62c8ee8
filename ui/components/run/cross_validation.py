"""The button that cross-validates a run of few images, and how far that is.

It does not begin by itself when a training ends: it takes as long as many trainings, and would slow down the next one
and every answer on Predict for a figure that is not wanted of every run.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.evaluation.cross_validated import (
    CrossValidation,
    expected_seconds,
    is_small,
    kept_cross_validation,
    too_few_images,
)
from tl_core.machine.progress import TaskContext
from tl_core.runs import RunRecord
from tl_core.storage.format import count, rough_duration
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.task_progress import task_progress
from ui.state.background_tasks import BackgroundTasks

CROSS_VALIDATIONS: Final = BackgroundTasks[CrossValidation](
    "cross-validation",
    at_a_time=1,
    remembered=20,
    unexpected="The cross-validation ended because of an unexpected error. The log has the details.",
    unit="head",
)


def offer_cross_validation(workspace: Workspace, run: RunRecord, dataset: Dataset) -> None:
    """Draw the button, the work under way, or why it cannot be done; nothing where the number is known, or the images
    are many.
    """
    if kept_cross_validation(run) or not is_small(run, dataset) or not is_mine(workspace, run.path):
        return
    if too_few := too_few_images(dataset):
        st.caption(plain(too_few))
        return
    task = CROSS_VALIDATIONS.latest(_subject(run))
    if task is not None:
        task_progress(CROSS_VALIDATIONS, task, task.id)
    if task is None or task.ended:
        seconds = expected_seconds(run)
        takes = "some minutes" if seconds is None else rough_duration(seconds)
        with st.container(horizontal=True, vertical_alignment="center", key=f"cross-validation-{run.id}"):
            st.button(
                "Cross-validate",
                key=f"cross-validate-{run.id}",
                icon=":material/published_with_changes:",
                on_click=_begin,
                args=(run,),
            )
            st.caption(
                f"Asks about all {count(len(dataset.images), 'image')} in turn, each time with a head that has not "
                f"seen them: this tells more than a few test images do. Takes {takes}, in the background.",
                width="stretch",
            )


def _begin(run: RunRecord) -> None:
    CROSS_VALIDATIONS.start(
        f"The cross-validation of {run.name}", lambda task: _work(run, task), _subject(run), alone=True
    )


def _subject(run: RunRecord) -> str:
    return f"{run.id} {run.model_sha256}"


def _work(run: RunRecord, task: TaskContext) -> CrossValidation:
    from tl_core.training.cross_validation import cross_validate  # imports TensorFlow

    return cross_validate(run.path, task)
