"""Where a model looked: a heatmap of the picture, drawn once somebody asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.data.normalise import resize_image, stored_pixels
from tl_core.figures.heatmap import overlay
from tl_core.runs import RunRecord
from ui.components.answers import model_version
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

OFFERED: Final = 10  # classes, likeliest first
WIDTH: Final = 360  # px, as it is made; shown as wide as the picture
KEPT: Final = 48  # heatmaps in a browser tab's share of the memory


@st.fragment
def heatmap_section(run: RunRecord, picture: Picture, answer: Answer, key: str, epoch: int | None = None) -> None:
    """A switch, and behind it the picture with the evidence for a class; the rest of the page stays.

    Args:
        run: whose model predicts.
        picture: that was predicted.
        answer: of this model.
        key: prefix of the controls' keys.
        epoch: the saved epoch that has answered; None = the best one.
    """
    with error_boundary():
        if not st.toggle(
            "Where did it look?",
            key=f"{key}-on",
            help="Marks the places that speak for the answer (Grad-CAM). The first time takes some seconds.",
        ):
            return
        name = st.selectbox(
            "What speaks for",
            [name for name, _ in answer.ranked[:OFFERED]],
            key=f"{key}-class",
            help="Any of its likeliest classes, not only the answer.",
        )
        with st.spinner("Looking …"):
            label = run.classes.index(name)
            version = model_version(run, epoch)
            png, block, found = _heat(run.path, epoch, version, picture.id, label, picture.data)
        st.image(png, width="stretch", alt=f"{picture.name} with the places marked that speak for {name}")
        if found:
            st.caption(f"The brighter a place, the more it speaks for **{plain(name)}**. Seen in {plain(block)}.")
        else:
            st.caption(f"No place in this picture speaks for **{plain(name)}**. Looked at in {plain(block)}.")


@st.cache_data(scope="session", max_entries=KEPT, show_spinner=False)
def _heat(
    run_path: Path, epoch: int | None, version: tuple[int, ...], picture_id: str, label: int, _data: bytes
) -> tuple[bytes, str, bool]:
    """PNG, title of the block, and whether anything speaks for the class; the picture's id stands for its bytes."""
    del version, picture_id  # only tell one question from another
    from tl_core.inference.grad_cam import open_grad_cam  # imports TensorFlow, so only on demand

    grad_cam = open_grad_cam(run_path, epoch)
    picture = stored_pixels(_data)
    found = grad_cam.explain(resize_image(picture, grad_cam.image_size), label)
    return overlay(picture, found.heat, WIDTH), found.block, bool(found.heat.any())
