"""One picture with what one model, or two, say about it, and where they looked (Grad-CAM)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.data.normalise import resize_image, stored_pixels
from tl_core.figures.heatmap import overlay
from tl_core.figures.probabilities import describe_probabilities, probability_figure, probability_text
from tl_core.runs import RunRecord
from tl_core.storage.format import percent
from ui.components.charts import INK, chart
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.components.run_format import run_labels
from ui.components.thumbnail import thumbnail
from ui.predict_page.answers import Asked, model_version
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

SURENESS: Final = ((0.9, "Almost certainly"), (0.7, "Probably"), (0.5, "Perhaps"), (0.0, "Not sure, perhaps"))
REJECTED: Final = "I don't know"
OFFERED: Final = 10  # classes, likeliest first
WIDTH: Final = 360  # px, as it is made; shown as wide as the picture
HEATMAPS: Final = 48  # heatmaps in a browser tab's share of the memory


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
        left.image(
            thumbnail(picture.id, picture.data),
            width="stretch",
            alt=f"{picture.name}, recognised as {first.ranked[0][0] if first.answered else 'nothing it knows'}",
        )
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


def _answer(picture: Picture, answer: Answer, key: str, shown: int) -> None:
    st.markdown(f"### {format_answer(answer)}")
    if not answer.answered:
        st.markdown(best_guess(answer))
    _verdict(picture.truth, answer)
    top = answer.ranked[:shown]
    figure = probability_figure(top, picture.truth, INK)
    chart(figure, describe_probabilities(top), f"{key}-bars", staticPlot=True)
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


@st.fragment
@error_boundary()
def heatmap_section(run: RunRecord, picture: Picture, answer: Answer, key: str, epoch: int | None = None) -> None:
    """A switch, and behind it the picture with the evidence for a class; the rest of the page stays."""
    if not st.toggle(
        "Where did it look?",
        key=f"{key}-on",
        help="Marks the places that speak for the answer (Grad-CAM). The first time takes some seconds.",
    ):
        return
    name = st.selectbox(
        "Evidence for the class",
        [name for name, _ in answer.ranked[:OFFERED]],
        key=f"{key}-class",
        help="Any of its likeliest classes, not only the answer.",
    )
    with st.spinner("Looking …"):
        label = run.classes.index(name)
        version = model_version(run, epoch)
        png, block, found = _draw_heatmap(run.path, epoch, version, picture.id, label, picture.data)
    st.image(png, width="stretch", alt=f"{picture.name} with the places marked that speak for {name}")
    lead = "The brighter a place, the more it" if found else "No place in this picture"
    st.caption(f"{lead} speaks for **{plain(name)}**. {'Seen' if found else 'Looked at'} in {plain(block)}.")


@st.cache_data(scope="session", max_entries=HEATMAPS, show_spinner=False)
def _draw_heatmap(
    run_path: Path, epoch: int | None, version: tuple[int, ...], picture_id: str, label: int, _data: bytes
) -> tuple[bytes, str, bool]:
    """PNG, title of the block, and whether anything speaks for the class; the picture's id stands for its bytes."""
    del version, picture_id  # only tell one question from another
    from tl_core.inference.grad_cam import open_grad_cam  # imports TensorFlow, so only on demand

    grad_cam = open_grad_cam(run_path, epoch)
    picture = stored_pixels(_data)
    found = grad_cam.explain(resize_image(picture, grad_cam.image_size), label)
    return overlay(picture, found.heat, WIDTH), found.block, bool(found.heat.any())
