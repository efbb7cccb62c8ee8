"""The answers to all pictures: a card of each, a table of many, and as CSV."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import streamlit as st

from tl_core.figures.palette import ANSWER
from tl_core.storage.format import count
from ui.components.downloads import download, to_csv
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.predict_page.answers import Asked
from ui.predict_page.pick_model import format_agreement
from ui.predict_page.prediction_card import REJECTED, prediction_card

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

CARDS_PER_PAGE: Final = 12
BARS_OF_ONE, BARS_OF_MANY = 5, 3  # classes with a bar: of one picture, of each of many
ROW_HEIGHT: Final = 35  # px
MAX_HEIGHT: Final = 420  # px
MOST_NAMED: Final = 5  # classes named in the sentence


def show_answers(
    pictures: Sequence[Picture],
    answers: Sequence[list[Answer]],
    runs: Sequence[Asked],
    epoch: int | None = None,
) -> None:
    """Every picture with its answers; many also in one table.

    Args:
        pictures: that were predicted.
        answers: of each model to all pictures.
        runs: whose models have answered, or the imported model that has.
        epoch: the saved epoch of the first run that has answered; None = its best one.
    """
    first, compares = 0, len(runs) > 1
    st.header("The answer" if len(pictures) == len(runs) == 1 else "The answers", anchor=False)
    if compares:
        st.markdown(format_agreement(*answers))
    if len(pictures) > 1:
        _table(pictures, answers[0], answers[1] if compares else (), runs[0])
        pages = math.ceil(len(pictures) / CARDS_PER_PAGE)
        page = st.pagination(pages, key="predict-page") if pages > 1 else 1
        first = (page - 1) * CARDS_PER_PAGE
    bars = BARS_OF_ONE if len(pictures) == 1 else BARS_OF_MANY
    with st.grid(1 if compares else min(2, len(pictures)), min_column_width=380, gap="medium"):
        for picture, *of_picture in list(zip(pictures, *answers, strict=True))[first : first + CARDS_PER_PAGE]:
            prediction_card(picture, of_picture, runs, f"predict-{picture.id}", bars, epoch)


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
    st.markdown(format_answers(answers))
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
                help="How sure the model is.",
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
        lambda: answers_csv(pictures, answers, asked.classes, others),
        f"{asked.id}-answers.csv",
        key="predict-csv",
        help="As CSV: one line per picture, with the probability of every class.",
    )


def answers_csv(
    pictures: Sequence[Picture], answers: Sequence[Answer], classes: Sequence[str], others: Sequence[Answer] = ()
) -> bytes:
    """One line per picture: answer, probability of each class (0-1), seconds, and the error where there is one."""
    start = ["picture", "answer", "best_guess", "probability", "truth", "seconds", "error"]
    second = ["second_answer", "second_best_guess", "second_probability"] if others else []
    lines = [_line(picture, answer, classes) for picture, answer in zip(pictures, answers, strict=True)]
    for line, other in zip(lines, others, strict=False):
        line[len(start) : len(start)] = _said(other)
    return to_csv([*start, *second, *(f"p({name})" for name in classes)], lines)


def format_answers(answers: Sequence[Answer], noun: str = "picture", unusable: str = "cannot be used") -> str:
    """Such as ``12 pictures: 8 × dog, 3 × cat, 1 cannot be used.``, the most frequent class first, as Markdown."""
    named = Counter(answer.ranked[0][0] for answer in answers if answer.answered)
    common = named.most_common(MOST_NAMED)
    unread = sum(not answer.ranked for answer in answers)
    parts = [(amount, f"× **{plain(name)}**") for name, amount in common]
    parts += [
        (named.total() - sum(amount for _, amount in common), "× other classes"),
        (len(answers) - named.total() - unread, f"× “{REJECTED}”"),
        (unread, unusable),
    ]
    told = ", ".join(f"{amount:,} {words}" for amount, words in parts if amount)
    return f"{count(len(answers), noun)}: {told}."


def _percent(answer: Answer) -> float | None:
    return answer.ranked[0][1] * 100 if answer.ranked else None


def _in_a_cell(answer: Answer) -> str:
    if not answer.ranked:
        return "no answer"
    return answer.ranked[0][0] if answer.answered else f"{REJECTED} ({answer.ranked[0][0]}?)"


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
    """Answer, best guess and its probability."""
    if not answer.ranked:
        return ["", "", ""]
    name, probability = answer.ranked[0]
    return [name if answer.answered else REJECTED, name, f"{probability:.6f}"]
