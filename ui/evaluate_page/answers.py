"""All answers of a model to the images it was measured on, as a table to download."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from tl_core.evaluation.ranking import losses
from ui.components.csv_text import to_csv

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation

COLUMNS: Final = ("file", "class", "answer", "right", "loss")
DIGITS: Final = 6  # of losses and probabilities


def answers_download(result: Evaluation, key: str, file_name: str) -> None:
    """Draw the button; the table is made when somebody presses it.

    Args:
        result: the evaluation.
        key: of the button.
        file_name: of the download.
    """
    st.download_button(
        "Download all answers",
        lambda: to_csv((*COLUMNS, *(f"p {name}" for name in result.classes)), answer_rows(result)),
        file_name,
        "text/csv",
        key=key,
        icon=":material/download:",
        on_click="ignore",
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
