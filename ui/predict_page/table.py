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
from ui.components.downloads import to_csv
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.predict_page.pick_model import format_agreement
from ui.predict_page.prediction_card import REJECTED, Asked, prediction_card

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
        others = answers[1] if compares else ()
        prediction_table(pictures, answers[0], runs[0].classes, "predict", f"{runs[0].id}-answers.csv", others)
        pages = math.ceil(len(pictures) / CARDS_PER_PAGE)
        page = st.pagination(pages, key="predict-page") if pages > 1 else 1
        first = (page - 1) * CARDS_PER_PAGE
    bars = BARS_OF_ONE if len(pictures) == 1 else BARS_OF_MANY
    with st.grid(1 if compares else min(2, len(pictures)), min_column_width=380, gap="medium"):
        for picture, *of_picture in list(zip(pictures, *answers, strict=True))[first : first + CARDS_PER_PAGE]:
            prediction_card(picture, of_picture, runs, f"predict-{picture.id}", bars, epoch)


def prediction_table(
    pictures: Sequence[Picture],
    answers: Sequence[Answer],
    classes: Sequence[str],
    key: str,
    file_name: str,
    others: Sequence[Answer] = (),
) -> None:
    """Draw one row per picture, and a button that downloads all probabilities.

    Args:
        pictures: that were predicted.
        answers: one per picture.
        classes: the model's classes, in the order of the columns of the download.
        key: prefix of the controls' keys.
        file_name: of the download.
        others: predictions of a second model for the same pictures, if there is one.
    """
    st.markdown(format_answers(answers))
    st.dataframe(
        pd.DataFrame(_rows(pictures, answers, others)),
        hide_index=True,
        column_config=_columns(),
        height=min(MAX_HEIGHT, ROW_HEIGHT * (len(answers) + 1) + 3),
        row_height=ROW_HEIGHT,
        placeholder="–",
        key=f"{key}-table",
        alt="The model's answer, its probability and the time taken for each picture",
    )
    st.download_button(
        "Download the answers",
        lambda: answers_csv(pictures, answers, classes, others),
        file_name,
        "text/csv",
        key=f"{key}-csv",
        icon=":material/download:",
        on_click="ignore",
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


def format_answers(answers: Sequence[Answer]) -> str:
    """Such as ``12 pictures: 8 × dog, 3 × cat, 1 cannot be used.``, as Markdown."""
    named = [answer.ranked[0][0] for answer in answers if answer.answered]
    unusable = sum(not answer.ranked for answer in answers)
    return f"{count(len(answers), 'picture')}: {tally(named, unusable, len(answers), 'cannot be used')}."


def tally(named: Sequence[str], unusable: int, asked: int, unusable_words: str) -> str:
    """How often each class was predicted, the most frequent first, as Markdown.

    Args:
        named: the class of each answer that was given.
        unusable: how many pictures could not be read.
        asked: all of them; the others are below the threshold.
        unusable_words: what is said of the unusable ones.
    """
    names = Counter(named)
    common = names.most_common(MOST_NAMED)
    others = len(named) - sum(amount for _, amount in common)
    rejected = asked - len(named) - unusable
    parts = [f"{amount:,} × **{plain(name)}**" for name, amount in common]
    parts += [f"{others:,} × other classes"] if others else []
    parts += [f"{rejected:,} × “{REJECTED}”"] if rejected else []
    parts += [f"{unusable:,} {unusable_words}"] if unusable else []
    return ", ".join(parts)


def _rows(pictures: Sequence[Picture], answers: Sequence[Answer], others: Sequence[Answer]) -> list[dict[str, Any]]:
    rows = [_row(picture, answer) for picture, answer in zip(pictures, answers, strict=True)]
    for row, other in zip(rows, others, strict=False):
        row["second"] = _in_a_cell(other)
        row["second_probability"] = other.ranked[0][1] * 100 if other.ranked else None
    return rows


def _row(picture: Picture, answer: Answer) -> dict[str, Any]:
    return {
        "picture": picture.name,
        "answer": _in_a_cell(answer),
        "probability": answer.ranked[0][1] * 100 if answer.ranked else None,
        "milliseconds": answer.seconds * 1000 if answer.ranked else None,
    }


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
        *(_digits(of_class.get(name, "")) for name in classes),
    ]


def _said(answer: Answer) -> list[str]:
    """Answer, best guess and its probability."""
    if not answer.ranked:
        return ["", "", ""]
    name, probability = answer.ranked[0]
    return [name if answer.answered else REJECTED, name, _digits(probability)]


def _digits(probability: float | str) -> str:
    return probability if isinstance(probability, str) else f"{probability:.6f}"


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "picture": column.TextColumn("Picture"),
        "answer": column.TextColumn("Answer"),
        "probability": column.ProgressColumn(
            "Probability", format="%.1f %%", min_value=0, max_value=100, color=ANSWER, help="How sure the model is."
        ),
        "milliseconds": column.NumberColumn("Time", format="%.0f ms", help="From the file to the answer."),
        "second": column.TextColumn("The other model"),
        "second_probability": column.NumberColumn("Its probability", format="%.1f %%"),
    }
