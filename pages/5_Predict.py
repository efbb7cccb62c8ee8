"""Predict: ask a trained model what is in a picture."""

import math

import streamlit as st

from tl_core.runs import RunRecord
from ui.navigation import PREDICT
from ui.page import page_setup
from ui.prediction.answers import Answer, answers_to
from ui.prediction.card import prediction_card
from ui.prediction.pictures import choose_pictures
from ui.prediction.table import prediction_table
from ui.runs.picker import best_of_last, pick_run
from ui.runs.words import model_words
from ui.words import count, percent, plain

CARDS_PER_PAGE = 12
BARS_OF_ONE, BARS_OF_MANY = 5, 3
NAMED_CLASSES = 12


def introduce(run: RunRecord) -> None:
    """Which model answers, how good it is, and what it can answer at all."""
    accuracy = f", right for {percent(run.best.val_accuracy)} of its validation images" if run.best else ""
    going_on = " The training still goes on: a better epoch takes over as soon as there is one." if run.active else ""
    named = ", ".join(plain(name) for name in run.classes[:NAMED_CLASSES])
    more = f" and {len(run.classes) - NAMED_CLASSES} more" if len(run.classes) > NAMED_CLASSES else ""
    st.caption(
        f"Answers come from {model_words(run)}{accuracy}.{going_on}  \n"
        f"It knows {count(len(run.classes), 'class', 'classes')} and always answers one of them: {named}{more}."
    )


def show(answers: list[Answer], run: RunRecord) -> None:
    """Every picture with its answer; many also in one table."""
    first = 0
    st.header("The answer" if len(answers) == 1 else "The answers", anchor=False)
    if len(answers) > 1:
        prediction_table(answers, run.classes, "predict", f"{run.id}-answers.csv")
        pages = math.ceil(len(answers) / CARDS_PER_PAGE)
        page = st.pagination(pages, key="predict-page") if pages > 1 else 1
        first = (page - 1) * CARDS_PER_PAGE
    with st.grid(min(2, len(answers)), min_column_width=380, gap="medium"):
        for answer in answers[first : first + CARDS_PER_PAGE]:
            bars = BARS_OF_ONE if len(answers) == 1 else BARS_OF_MANY
            prediction_card(answer, f"predict-{answer.picture.id}", bars)


with page_setup("Predict", PREDICT.icon, lead="What does the model see in your picture?") as workspace:
    run = pick_run(workspace, best_of_last, key="predict-run")
    if run is not None:
        introduce(run)
        if pictures := choose_pictures(workspace, run, key="predict"):
            show(answers_to(pictures, run), run)
