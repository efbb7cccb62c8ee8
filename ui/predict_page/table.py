"""The answers to all pictures: a card of one, a grid and a table of many, and as CSV."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import streamlit as st

from tl_core.figures.palette import ANSWER
from tl_core.runs import RunRecord
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.correcting.photo import correct_photo
from ui.components.correcting.since_training import since_training
from ui.components.downloads import download, to_csv
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.components.prediction.answers import Asked
from ui.components.prediction.card import REJECTED, UNLIKE, prediction_card, refusal
from ui.predict_page.answer_grid import answer_grid
from ui.predict_page.pick_model import format_agreement
from ui.shell.navigation import PREDICT

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

TILES_PER_PAGE: Final = 24
BARS: Final = 5  # classes with a bar
ROW_HEIGHT: Final = 35  # px
MAX_HEIGHT: Final = 420  # px
MOST_NAMED: Final = 5  # classes named in the sentence


def show_answers(
    workspace: Workspace,
    pictures: Sequence[Picture],
    answers: Sequence[list[Answer]],
    runs: Sequence[Asked],
    epoch: int | None = None,
) -> None:
    """Every picture with its answers, and the way to correct one; many also in one table.

    Args:
        workspace: of the visitor.
        pictures: that were predicted.
        answers: of each model to all pictures.
        runs: whose models have answered, or the imported model that has.
        epoch: the saved epoch of the first run that has answered; None = its best one.
    """
    compares = len(runs) > 1
    if len(pictures) == 1:
        if compares:
            st.markdown(format_agreement(*answers))
        _opened(workspace, pictures[0], [of_model[0] for of_model in answers], runs, epoch)
        return
    st.markdown(format_agreement(*answers) if compares else format_answers(answers[0]))
    pages = math.ceil(len(pictures) / TILES_PER_PAGE)
    page = st.pagination(pages, key="predict-page") if pages > 1 else 1
    shown = range((page - 1) * TILES_PER_PAGE, min(page * TILES_PER_PAGE, len(pictures)))
    for place in shown:
        if error := answers[0][place].error:
            st.warning(f"**{plain(pictures[place].name)}**: {error}", icon=":material/broken_image:")
    usable = [place for place in shown if not answers[0][place].error]
    if usable:
        tiles = [(pictures[place], answers[0][place]) for place in usable]
        place = usable[answer_grid(tiles, key="predict-grid")]
        of_picture = [of_model[place] for of_model in answers]
        _opened(workspace, pictures[place], of_picture, runs, epoch)
    with st.expander("All answers as a table", icon=":material/table:"):
        _table(pictures, answers[0], answers[1] if compares else (), runs[0])


def _opened(
    workspace: Workspace, picture: Picture, answers: Sequence[Answer], runs: Sequence[Asked], epoch: int | None
) -> None:
    """One picture with its answers; below it the way to correct a wrong one, and what comes of that."""
    prediction_card(picture, answers, runs, f"predict-{picture.id}", BARS, epoch)
    if not answers[0].error and isinstance(runs[0], RunRecord):  # an imported model has no images to learn from
        correct_photo(workspace, picture, runs[0], f"wrong-{picture.id}")
        since_training(workspace, runs[0], "predict", PREDICT)


def _table(
    pictures: Sequence[Picture],
    answers: Sequence[Answer],
    others: Sequence[Answer],
    asked: Asked,
) -> None:
    """Draw one row per picture, and a button that downloads all probabilities; ``others`` are of a second model."""
    rows = [
        {
            "picture": picture.name,
            "answer": _in_a_cell(answer),
            "probability": _percent(answer),
            "milliseconds": answer.seconds * 1000 if answer.ranked else None,
        }
        for picture, answer in zip(pictures, answers, strict=True)
    ]
    for row, other in zip(rows, others, strict=False):
        row |= {"second": _in_a_cell(other), "second_probability": _percent(other)}
    column = st.column_config
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "picture": "Picture",
            "answer": "Answer",
            "probability": column.ProgressColumn(
                "Probability",
                format="%.1f %%",
                min_value=0,
                max_value=100,
                color=ANSWER,
                help="How sure the model is of its answer. Without an answer there is none.",
            ),
            "milliseconds": column.NumberColumn("Time", format="%.0f ms", help="From the file to the answer."),
            "second": "The other model",
            "second_probability": column.NumberColumn("Its probability", format="%.1f %%"),
        },
        height=min(MAX_HEIGHT, ROW_HEIGHT * (len(answers) + 1) + 3),
        row_height=ROW_HEIGHT,
        placeholder="–",
        key="predict-table",
        alt="The model's answer, its probability and the time taken for each picture",
    )
    download(
        "Download the answers",
        answers_csv(pictures, answers, asked.classes, others),
        f"{asked.id}-answers.csv",
        key="predict-csv",
        help="As CSV: one line per picture, with the probability of every class.",
    )


def answers_csv(
    pictures: Sequence[Picture], answers: Sequence[Answer], classes: Sequence[str], others: Sequence[Answer] = ()
) -> bytes:
    """One line per picture: answer or why there is none, probability of each class (0-1), seconds, and the error.

    Why is ``unlike``, ``unsure`` or ``unusable``, as in `Answer.reason`.
    """
    start = ["picture", "answer", "reason", "best_guess", "probability", "truth", "seconds", "error"]
    second = ["second_answer", "second_reason", "second_best_guess", "second_probability"] if others else []
    lines = [_line(picture, answer, classes) for picture, answer in zip(pictures, answers, strict=True)]
    for line, other in zip(lines, others, strict=False):
        line[len(start) : len(start)] = _said(other)
    return to_csv([*start, *second, *(f"p({name})" for name in classes)], lines)


def format_answers(answers: Sequence[Answer], noun: str = "picture", unusable: str = "cannot be used") -> str:
    """Such as ``12 pictures: 8 × dog, 3 × cat, 1 cannot be used.``, the most frequent class first, as Markdown."""
    named = Counter(answer.ranked[0][0] for answer in answers if answer.answered)
    common = named.most_common(MOST_NAMED)
    unread = sum(not answer.ranked for answer in answers)
    unlike = sum(answer.unlike for answer in answers)
    parts = [(amount, f"× **{plain(name)}**") for name, amount in common]
    parts += [
        (named.total() - sum(amount for _, amount in common), "× other classes"),
        (len(answers) - named.total() - unread - unlike, f"× “{REJECTED}”"),
        (unlike, f"× “{UNLIKE}”"),
        (unread, unusable),
    ]
    told = ", ".join(f"{amount:,} {words}" for amount, words in parts if amount)
    return f"{count(len(answers), noun)}: {told}."


def _percent(answer: Answer) -> float | None:
    return answer.ranked[0][1] * 100 if answer.answered else None


def _in_a_cell(answer: Answer) -> str:
    if not answer.ranked:
        return "no answer"
    return answer.ranked[0][0] if answer.answered else f"{refusal(answer)} ({answer.ranked[0][0]}?)"


def _line(picture: Picture, answer: Answer, classes: Sequence[str]) -> list[Any]:
    of_class = dict(answer.ranked)
    return [
        picture.name,
        *_said(answer),
        picture.truth or "",
        f"{answer.seconds:.4f}",
        answer.error or "",
        *(f"{of_class[name]:.6f}" if name in of_class else "" for name in classes),
    ]


def _said(answer: Answer) -> list[str]:
    """Answer, why there is none, best guess and its probability."""
    if not answer.ranked:
        return ["", answer.reason or "", "", ""]
    name, probability = answer.ranked[0]
    return [name if answer.answered else refusal(answer), answer.reason or "", name, f"{probability:.6f}"]
