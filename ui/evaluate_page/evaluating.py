"""Evaluating a run while the person waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from tl_core.errors import DatasetNotFoundError
from tl_core.runs import RunRecord
from tl_core.storage.workspace import Workspace
from ui.components.task_progress import waiting_bar

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation


def evaluated(workspace: Workspace, run: RunRecord, split: str) -> Evaluation:
    """The run's evaluation on ``test`` or ``validation``; computed once, then read from the run folder.

    Leaving the page ends a computation that is under way.

    Raises:
        DatasetNotFoundError: the dataset of the run was deleted.
        ModelUnavailableError: the run has no usable model.
    """
    from tl_core.evaluation.evaluate import (
        evaluate_run,  # imports scikit-learn and TensorFlow, so only when it is needed
    )

    try:
        with st.spinner("Asking the model about each image …", show_time=True), waiting_bar() as task:
            return evaluate_run(run.path, workspace.datasets / run.dataset_id, split, task)
    except DatasetNotFoundError as error:
        raise DatasetNotFoundError(
            f"The dataset “{run.dataset_name}” of this run was deleted, so there are no images to measure its model "
            "with: choose another run."
        ) from error
