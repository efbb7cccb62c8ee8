"""One picture with what one model, or two, say about it, and where they looked (Grad-CAM)."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st
from PIL import Image, UnidentifiedImageError

from tl_core.data.decoding import FORMATS, TURNED, orientation_of
from tl_core.data.normalise import stored_pixels
from tl_core.figures.heatmap import heat_layer
from tl_core.figures.probabilities import describe_probabilities, probability_figure, probability_text
from tl_core.runs import RunRecord
from tl_core.storage.format import percent
from ui.components.charts import INK, chart
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.components.prediction.answers import Asked, model_version
from ui.components.prediction.picture_view import HeatLayer, picture_view
from ui.components.run_format import short_labels
from ui.components.thumbnail import LONGEST_SIDE
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

SURENESS: Final = ((0.9, "Almost certainly"), (0.7, "Probably"), (0.5, "Perhaps"), (0.0, "Not sure, perhaps"))
REJECTED: Final = "I don't know"
UNLIKE: Final = "Unlike anything it was taught"
_HOW_UNLIKE: Final = (  # up to which `Answer.novelty`, and the words
    (1.2, "a little different from"),
    (2.0, "different from"),
    (math.inf, "very different from"),
)
OFFERED: Final = 10  # classes, likeliest first
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
    alt = f"{picture.name}, recognised as {first.ranked[0][0] if first.answered else 'nothing it knows'}"
    with st.container(border=True, key=f"{key}-card"):
        left, *places = st.columns([2, *[3] * len(answers)], gap="medium")
        labels = short_labels(run for run in runs if isinstance(run, RunRecord))
        of_one = runs[0] if len(runs) == 1 and isinstance(runs[0], RunRecord) else None
        with left:
            if of_one:
                _view_with_heat(of_one, picture, first, f"{key}-{of_one.id}-heat", epoch, alt)
            else:
                picture_view(picture, alt, f"{key}-picture")
        for number, (place, answer, run) in enumerate(zip(places, answers, runs, strict=True)):
            with place:
                if len(answers) > 1:
                    st.caption(f"**{plain(labels[run.id])}**")
                _answer(picture, answer, f"{key}-{run.id}", shown)
                if of_one is None and isinstance(run, RunRecord):  # an imported model can only predict
                    _view_with_heat(run, picture, answer, f"{key}-{run.id}-heat", None if number else epoch)


def format_answer(answer: Answer) -> str:
    """The likeliest class and its probability, or *I don't know*, as Markdown."""
    name, probability = answer.ranked[0]
    if not answer.answered:
        return refusal(answer)
    return f"{sureness(probability)} **{plain(name)}**"


def refusal(answer: Answer) -> str:
    """What stands in place of a class, where the picture could be used and the model does not answer."""
    return UNLIKE if answer.unlike else REJECTED


def sureness(probability: float) -> str:
    """A phrase for a probability, before the name of the class."""
    return next(words for limit, words in SURENESS if probability >= limit)


def _answer(picture: Picture, answer: Answer, key: str, shown: int) -> None:
    st.markdown(f"### {format_answer(answer)}")
    if not answer.answered:
        st.markdown(best_guess(answer))
    truth = picture.truth if picture.truth in dict(answer.ranked) else None  # else this model does not know the class
    _verdict(truth, answer)
    top = answer.ranked[:shown]
    figure = probability_figure(top, truth, INK)
    chart(figure, describe_probabilities(top), f"{key}-bars", staticPlot=True)
    far = (f"distance {answer.novelty:.1f}, accepted up to 1",) if answer.unlike else ()
    st.caption(" · ".join((plain(picture.name), *format_pixels(picture.data), milliseconds(answer.seconds), *far)))


def format_pixels(data: bytes) -> tuple[str, ...]:
    """How large the picture is as it stands upright, where it is shown smaller."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            turned = image.format != "TIFF" and orientation_of(image) >= TURNED  # Pillow turns a TIFF itself
            width, height = image.size[::-1] if turned else image.size
    except (UnidentifiedImageError, OSError):  # read by another decoder
        return ()
    return (f"{width:,} × {height:,} pixels, shown smaller",) if max(width, height) > LONGEST_SIDE else ()


def best_guess(answer: Answer) -> str:
    """The best guess where the model does not answer, and why it does not, as Markdown."""
    name, probability = answer.ranked[0]
    if answer.unlike and answer.nearest is not None:
        return (
            f"{how_unlike(answer)} The most similar one is in the class **{plain(answer.nearest.label)}**. "
            f"If it had to choose, it would say **{plain(name)}**."
        )
    return (
        f"Its best guess is **{plain(name)}**, {probability_text(probability)}; it answers only "
        f"above {percent(answer.threshold, 0)}."
    )


def how_unlike(answer: Answer) -> str:
    """A sentence for whoever knows nothing of distances."""
    how = next(words for most, words in _HOW_UNLIKE if answer.novelty <= most)
    return f"This picture looks {how} every picture that the model has learned from."


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
def _view_with_heat(
    run: RunRecord, picture: Picture, answer: Answer, key: str, epoch: int | None = None, alt: str = ""
) -> None:
    """The picture, and a switch that lays the evidence for a class over it; the rest of the page stays.

    With no ``alt`` the picture stands elsewhere already, and here only together with the evidence.
    """
    view = st.container()
    if not st.toggle(
        "Where did it look?",
        key=f"{key}-on",
        help="Marks the places that led to the answer. The method is Grad-CAM; the first time takes some seconds.",
    ):
        if alt:
            with view:
                picture_view(picture, alt, f"{key}-view")
        return
    name = st.selectbox(
        "Show evidence for",
        [name for name, _ in answer.ranked[:OFFERED]],
        key=f"{key}-class",
        help="Any of its likeliest classes, not only the answer.",
    )
    with view, st.spinner("Looking …"):
        label = run.classes.index(name)
        version = model_version(run, epoch)
        png, found = _draw_heatmap(run.path, epoch, version, picture.id, label, picture.data)
        picture_view(picture, alt or picture.name, f"{key}-view", HeatLayer(png, name))
    lead = f"Yellow areas pushed it towards **{plain(name)}**."
    st.caption(lead if found else f"No part of this picture pushed it towards **{plain(name)}**.")


@st.cache_data(scope="session", max_entries=HEATMAPS, show_spinner=False)
def _draw_heatmap(
    run_path: Path, epoch: int | None, version: tuple[int, ...], picture_id: str, label: int, _data: bytes
) -> tuple[bytes, bool]:
    """PNG, and whether anything speaks for the class; the picture's id stands for its bytes."""
    del version, picture_id  # only tell one question from another
    from tl_core.inference.grad_cam import open_grad_cam  # imports TensorFlow, so only on demand

    grad_cam = open_grad_cam(run_path, epoch)
    picture = stored_pixels(_data, grad_cam.decoding)
    found = grad_cam.explain_picture(picture, label)
    return heat_layer(picture, found.heat), bool(found.heat.any())
