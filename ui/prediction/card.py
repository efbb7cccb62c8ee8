"""One picture with what the model says about it."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.figures.probabilities import describe_probabilities, probability_figure, probability_text
from ui.plotly_ink import INK
from ui.prediction.answers import Answer
from ui.prediction.thumbnail import thumbnail
from ui.words import plain

STATIC: Final = {"staticPlot": True}
SURENESS: Final = ((0.9, "Almost certainly"), (0.7, "Probably"), (0.5, "Perhaps"), (0.0, "Not sure, perhaps"))


def prediction_card(answer: Answer, key: str, shown: int = 5) -> None:
    """Draw the picture, the answer in words, the likeliest classes as bars, and how long it took.

    Args:
        answer: the model's answer, or why there is none.
        key: names the card on its page.
        shown: how many classes have a bar.
    """
    if answer.error is not None:
        st.warning(f"**{plain(answer.picture.name)}**: {answer.error}", icon=":material/broken_image:")
        return
    with st.container(border=True):
        left, right = st.columns([2, 3], gap="medium")
        with left:
            _picture(answer)
        with right:
            _answer(answer, key, shown)


def answer_in_words(answer: Answer) -> str:
    """The likeliest class and how sure the model is of it, as Markdown."""
    name, probability = answer.ranked[0]
    sureness = next(words for limit, words in SURENESS if probability >= limit)
    return f"{sureness} **{plain(name)}**"


def _picture(answer: Answer) -> None:
    st.image(
        thumbnail(answer.picture.id, answer.picture.data),
        width="stretch",
        alt=f"{answer.picture.name}, recognised as {answer.ranked[0][0]}",
    )


def _answer(answer: Answer, key: str, shown: int) -> None:
    st.markdown(f"### {answer_in_words(answer)}")
    _verdict(answer)
    top = answer.ranked[:shown]
    st.plotly_chart(
        probability_figure(top, answer.picture.truth, INK),
        key=f"{key}-bars",
        config=STATIC,
        alt=describe_probabilities(top),
    )
    st.caption(f"{plain(answer.picture.name)} · {milliseconds(answer.seconds)}")


def _verdict(answer: Answer) -> None:
    """Whether the answer is right, where the truth is known."""
    truth, (name, _) = answer.picture.truth, answer.ranked[0]
    if truth is None:
        return
    if truth == name:
        st.markdown(f":green[:material/check_circle:] Right: the dataset says **{plain(truth)}** too.")
    else:
        given = probability_text(dict(answer.ranked).get(truth, 0.0))
        st.markdown(f":red[:material/cancel:] Wrong: it is **{plain(truth)}**, which the model gave {given}.")


def milliseconds(seconds: float) -> str:
    """Seconds as ``12 ms``, or ``1.4 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
