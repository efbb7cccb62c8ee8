"""One picture with the predictions of one model, or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.figures.probabilities import describe_probabilities, probability_figure, probability_text
from tl_core.format import percent
from tl_core.imported_models import ImportedModel
from tl_core.runs import RunRecord
from ui.components.heatmap import heatmap_section
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.components.plotly_ink import INK
from ui.components.run_format import run_labels
from ui.components.thumbnail import thumbnail

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

STATIC: Final = {"staticPlot": True}
SURENESS: Final = ((0.9, "Almost certainly"), (0.7, "Probably"), (0.5, "Perhaps"), (0.0, "Not sure, perhaps"))
REJECTED: Final = "I don't know"

Asked = RunRecord | ImportedModel
"""Whose model answers."""


def prediction_card(
    picture: Picture,
    answers: Sequence[Answer],
    runs: Sequence[Asked],
    key: str,
    shown: int = 5,
    epoch: int | None = None,
) -> None:
    """Draw the picture, the answer as text, the likeliest classes as bars, and how long it took.

    Args:
        picture: that was predicted.
        answers: one per model, or why there is none.
        runs: whose models have predicted, or the imported model.
        key: names the card on its page.
        shown: how many classes have a bar.
        epoch: the saved epoch of the first run that has answered; None = its best one.
    """
    first = answers[0]
    if first.error is not None:
        st.warning(f"**{plain(picture.name)}**: {first.error}", icon=":material/broken_image:")
        return
    with st.container(border=True):
        left, *places = st.columns([2, *[3] * len(answers)], gap="medium")
        labels = run_labels(run for run in runs if isinstance(run, RunRecord))
        with left:
            _picture(picture, first)
        for number, (place, answer, run) in enumerate(zip(places, answers, runs, strict=True)):
            with place:
                if len(answers) > 1:
                    st.caption(f"**{plain(labels[run.id])}**")
                _answer(picture, answer, f"{key}-{run.id}", shown)
            # Of one model it stands under the picture, at its size; of two each under what it explains.
            if not isinstance(run, RunRecord):
                continue  # its process can only predict
            with place if len(answers) > 1 else left:
                heatmap_section(run, picture, answer, f"{key}-{run.id}-heat", None if number else epoch)


def format_answer(answer: Answer) -> str:
    """The likeliest class and its probability, or *I don't know*, as Markdown."""
    name, probability = answer.ranked[0]
    if not answer.answered:
        return REJECTED
    return f"{sureness(probability)} **{plain(name)}**"


def sureness(probability: float) -> str:
    """A phrase for a probability, before the name of the class."""
    return next(words for limit, words in SURENESS if probability >= limit)


def _picture(picture: Picture, answer: Answer) -> None:
    st.image(
        thumbnail(picture.id, picture.data),
        width="stretch",
        alt=f"{picture.name}, recognised as {answer.ranked[0][0] if answer.answered else 'nothing it knows'}",
    )


def _answer(picture: Picture, answer: Answer, key: str, shown: int) -> None:
    st.markdown(f"### {format_answer(answer)}")
    if not answer.answered:
        st.markdown(best_guess(answer))
    _verdict(picture.truth, answer)
    top = answer.ranked[:shown]
    st.plotly_chart(
        probability_figure(top, picture.truth, INK),
        key=f"{key}-bars",
        config=STATIC,
        alt=describe_probabilities(top),
    )
    st.caption(f"{plain(picture.name)} · {milliseconds(answer.seconds)}")


def best_guess(answer: Answer) -> str:
    """The best guess of an answer below the threshold, and the threshold, as Markdown."""
    name, probability = answer.ranked[0]
    return (
        f"Its best guess is **{plain(name)}**, {probability_text(probability)}; it answers from "
        f"{percent(answer.threshold, 0)} on."
    )


def _verdict(truth: str | None, answer: Answer) -> None:
    """Whether the prediction is right, where the true class is known."""
    name, _ = answer.ranked[0]
    if truth is None:
        return
    if not answer.answered:
        st.markdown(
            f":material/help: It is **{plain(truth)}**: the guess is {'right' if truth == name else 'wrong'}."
        )
    elif truth == name:
        st.markdown(f":green[:material/check_circle:] Right: the dataset says **{plain(truth)}** too.")
    else:
        given = probability_text(dict(answer.ranked).get(truth, 0.0))
        st.markdown(f":red[:material/cancel:] Wrong: it is **{plain(truth)}**, which the model gave {given}.")


def milliseconds(seconds: float) -> str:
    """Seconds as ``12 ms``, or ``1.4 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
