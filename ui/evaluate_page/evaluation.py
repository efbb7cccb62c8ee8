"""The evaluation of a run: computed once, and taken away as a report or as a table of all answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.errors import DatasetNotFoundError
from tl_core.evaluation.ranking import losses
from tl_core.inference.calibration import load_calibration
from tl_core.runs import RunRecord
from tl_core.storage.workspace import Workspace
from ui.components.downloads import download, to_csv
from ui.components.task_progress import waiting_bar

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation

ANSWER_COLUMNS: Final = ("file", "class", "answer", "right", "loss")
DIGITS: Final = 6  # of losses and probabilities


def evaluated(workspace: Workspace, run: RunRecord, split: str) -> Evaluation:
    """The run's evaluation on ``test`` or ``validation``; computed once, then read from the run folder.

    Leaving the page ends a computation that is under way. Without its dataset it has no images.

    Raises:
        DatasetNotFoundError: the dataset of the run was deleted before this was measured.
        ModelUnavailableError: the run has no usable model.
    """
    from tl_core.evaluation.evaluate import evaluate_run, measured_before  # imports scikit-learn and TensorFlow

    try:
        with st.spinner("Asking the model about each image …", show_time=True), waiting_bar() as task:
            return evaluate_run(run.path, workspace.datasets / run.dataset_id, split, task)
    except DatasetNotFoundError as error:
        if (found := measured_before(run, split)) is not None:
            return found
        raise DatasetNotFoundError(
            f"The dataset “{run.dataset_name}” of this run was deleted, so there are no images to measure its model "
            "with: choose another run."
        ) from error


def report_download(run: RunRecord, dataset: Dataset, result: Evaluation, key: str) -> None:
    """Draw the button; the report on what was measured is written when somebody presses it."""

    def report() -> bytes:
        from tl_core.evaluation.report import take_measures, write_report  # scikit-learn

        measures = take_measures(result, load_calibration(run.folder, run.model_sha256))
        return write_report(run, dataset, measures)

    download(
        "Download report",
        report,
        f"{run.id}-{result.split}.html",
        key=key,
        icon=":material/lab_profile:",
        help="All measures and charts of this page in one file (HTML) that any browser opens, also offline.",
    )


def answers_download(result: Evaluation, key: str, file_name: str) -> None:
    """Draw the button; the table of all answers is made when somebody presses it."""
    download(
        "Download all answers",
        lambda: to_csv((*ANSWER_COLUMNS, *(f"p {name}" for name in result.classes)), answer_rows(result)),
        file_name,
        key=key,
        help="As CSV: every image with its class, the answer, its loss and the probability of each class.",
    )


def answer_rows(result: Evaluation) -> Iterator[tuple[Any, ...]]:
    """One row per image, in the order of the evaluation."""
    answers = result.probabilities.argmax(axis=1).tolist()
    columns = zip(
        result.records,
        result.labels.tolist(),
        answers,
        losses(result.probabilities, result.labels).tolist(),
        result.probabilities.tolist(),
        strict=True,
    )
    for record, label, answer, loss, probabilities in columns:
        yield (
            record.source_name,
            result.classes[label],
            result.classes[answer],
            "yes" if answer == label else "no",
            round(loss, DIGITS),
            *(round(value, DIGITS) for value in probabilities),
        )
