"""One measured image opened: its probabilities, the heatmap for a class, and its nearest training images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import streamlit as st

from tl_core.data import Dataset, ImageRecord, read_image
from tl_core.figures.heatmap import overlay
from tl_core.figures.probabilities import describe_probabilities, probability_figure, probability_text
from tl_core.runs import RunRecord
from ui.components.charts import INK, chart
from ui.components.markdown import plain
from ui.components.task_progress import waiting_bar
from ui.components.thumbnail import dataset_thumbnail
from ui.shell.errors import error_boundary

SHOWN: Final = 5  # classes with a bar
NO_HEAT: Final = np.zeros((1, 1), np.float32)
NEAREST: Final = 6


@dataclass(frozen=True, slots=True)
class MeasuredImage:
    """One image with its prediction."""

    record: ImageRecord
    path: Path
    truth: int  # index of its class, as the model counts them
    probabilities: tuple[float, ...]  # one per class, 0-1

    @property
    def answer(self) -> int:
        """Index of the likeliest class."""
        return self.probabilities.index(max(self.probabilities))


@st.dialog("A closer look", width="medium", icon=":material/search:")
def look_closer(dataset: Dataset, run: RunRecord, image: MeasuredImage) -> None:
    """Open one image over the page; see `one_image`."""
    one_image(dataset, run, image)


@error_boundary()
def one_image(dataset: Dataset, run: RunRecord, image: MeasuredImage) -> None:
    """Draw the prediction for an image, its heatmap, and its nearest training images."""
    key = f"closer-{run.id}-{image.record.pixels_sha256[:16]}"
    st.markdown(_verdict(run.classes, image))
    _why(run, image, key)
    top = sorted(zip(run.classes, image.probabilities, strict=True), key=lambda pair: -pair[1])[:SHOWN]
    figure = probability_figure(top, run.classes[image.truth], INK)
    chart(figure, describe_probabilities(top), f"{key}-bars", staticPlot=True)
    st.caption(plain(image.record.source_name))
    _nearest_images(dataset, run, image.record, key)


def _verdict(classes: tuple[str, ...], image: MeasuredImage) -> str:
    """The prediction in a sentence, and whether it is right, as Markdown."""
    answer, truth = image.answer, image.truth
    said = f"**{plain(classes[answer])}** ({probability_text(image.probabilities[answer])})"
    if answer == truth:
        return f":green[:material/check_circle:] The model says {said}, and it is."
    given = probability_text(image.probabilities[truth])
    return f":red[:material/cancel:] The model says {said}. It is **{plain(classes[truth])}**, which it gave {given}."


def _why(run: RunRecord, image: MeasuredImage, key: str) -> None:
    """The photo, the heatmap over it, and the choice of class and block."""
    from tl_core.inference.grad_cam import open_grad_cam  # imports TensorFlow, so only on demand

    with st.spinner("Opening the model …", show_time=True):
        grad_cam = open_grad_cam(run.path)
    photo, heatmap = st.columns(2, gap="medium")
    label, block = _choose(run, image, grad_cam.blocks, key)
    picture = read_image(image.path)
    with heatmap, st.spinner("Looking …", show_time=True):  # the first heatmap of a block takes a few seconds
        heat = grad_cam.explain_picture(picture, label, block).heat
    name, probability = run.classes[label], probability_text(image.probabilities[label])
    photo.image(overlay(picture, NO_HEAT), width="stretch", alt=f"The photo: {run.classes[image.truth]}")
    photo.caption("Original photo")
    heatmap.image(
        overlay(picture, heat),
        width="stretch",
        alt=f"Heatmap over the photo: what pushed it towards {name}, brightest {brightest_place(heat)}",
    )
    lead = "Yellow areas pushed it towards" if heat.any() else "Nothing that this block sees pushed it towards"
    heatmap.caption(f"{lead} **{plain(name)}** ({probability}).")


def brightest_place(heat: np.ndarray) -> str:
    """The brightest place as text, such as ``at the top left``."""
    if not heat.any():
        return "nowhere"
    rows, columns = heat.sum(axis=1), heat.sum(axis=0)
    down = float(rows @ np.arange(len(rows))) / float(rows.sum()) / max(1, len(rows) - 1)
    across = float(columns @ np.arange(len(columns))) / float(columns.sum()) / max(1, len(columns) - 1)
    words = ("top ", "", "bottom ")[min(2, int(down * 3))], ("left", "", "right")[min(2, int(across * 3))]
    place = "".join(words).strip()
    return f"at the {place}" if place else "in the middle"


def _choose(run: RunRecord, image: MeasuredImage, blocks: tuple[str, ...], key: str) -> tuple[int, str]:
    left, right = st.columns(2, gap="medium")
    label = left.selectbox(
        "Show evidence for",
        range(len(run.classes)),
        index=image.answer,
        format_func=run.classes.__getitem__,
        key=f"{key}-label",
        help="Any class, also one that the model did not choose.",
    )
    if len(blocks) == 1:
        return label, blocks[0]
    return label, right.select_slider(
        "Look at",
        blocks,
        blocks[-1],
        key=f"{key}-block",
        help="The first blocks of the backbone see edges and colours, the last ones parts of things. The answer is "
        "made from the last one. The method is Grad-CAM.",
    )


def _nearest_images(dataset: Dataset, run: RunRecord, image: ImageRecord, key: str) -> None:
    """The training images nearest to one, or a button that makes them known where they are not yet."""
    from tl_core.inference.nearest_neighbours import (  # imports TensorFlow
        cached_features,
        feature_vectors,
        nearest_neighbours,
    )

    st.markdown("**The most similar training images**")
    features = cached_features(run.path, dataset)
    if features is None:
        place = st.empty()
        with place.container():
            st.caption("The training images that look most similar to the model often explain its answer.")
            wanted = st.button("Find them", key=f"{key}-find", icon=":material/image_search:")
        if not wanted:
            return
        place.empty()
        # The backbone looks at every image once; closing the dialog and going on ends it.
        with waiting_bar("Opening the model …") as task:
            features = feature_vectors(run.path, dataset, task)
    found = nearest_neighbours(features, dataset, image, NEAREST)
    if not found:
        st.caption("The dataset has no other training image.")
        return
    with st.grid(NEAREST, min_column_width=90, gap="small"):
        for neighbour in found:
            name, picture = dataset.classes[neighbour.record.label], dataset.path_of(neighbour.record)
            with st.container(gap="xsmall"):
                st.image(dataset_thumbnail(picture), width="stretch", alt=f"Training image of {name}")
                st.caption(f"**{plain(name)}**  \n{neighbour.similarity:.2f} similar")
    st.caption("Of all training images, the nearest by the backbone's features (1.00 = the same to the model).")
