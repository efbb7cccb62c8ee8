"""What a page shows while there is nothing to show: one sentence, and one button that leads on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import streamlit as st

from tl_core.data import list_datasets
from tl_core.runs import RunRecord
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.run_format import format_accuracy
from ui.shell.navigation import DATA, TRAIN, Page, page_button
from ui.state.current import choose_model

NO_IMAGES = "There are no images yet."
NO_MODEL = "There is no model yet."
WAYS_TO_IMAGES: Final = {"zip": "Bring my images", "sample": "Try a sample set"}
MOST_OFFERED: Final = 3  # models that have learned from other images


def empty_state(title: str, text: str, page: Page, action: str, key: str) -> None:
    """Draw it.

    Args:
        title: what is missing, as a short sentence.
        text: what will be here, or what to do.
        page: where the button leads.
        action: what the button says.
        key: of the button.
    """
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown(f"**{title}**", width="content")
        st.markdown(text, width="content", text_alignment="center")
        page_button(page, action, key=key)


def no_images_yet(key: str) -> None:
    """Lead to the images, without which nothing else can be done."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown(f"**{NO_IMAGES}**", width="content")
        st.markdown("Add your own photos, or take a sample set with one click.", width="content")
        with st.container(horizontal=True, horizontal_alignment="center"):
            ways_to_images(key, primary=True)


def ways_to_images(key: str, *, primary: bool, width: Literal["content", "stretch"] = "content") -> None:
    """Two buttons to the Data page, each with its tab open there; ``primary`` where this is what to do next."""
    for place, (way, words) in enumerate(WAYS_TO_IMAGES.items()):
        page_button(DATA, words, key=f"{key}-{way}", primary=primary and place == 0, width=width, way=way)


def no_run_yet(workspace: Workspace, key: str) -> None:
    """Lead to the training, or to the images where there are none."""
    if list_datasets(workspace):
        text = "Every training is kept here, with its curves and its model."
        empty_state("There is no run yet.", text, TRAIN, "Train a model", f"{key}-train")
    else:
        no_images_yet(f"{key}-data")


def no_model_yet(workspace: Workspace, key: str, others: Sequence[RunRecord] = ()) -> None:
    """Lead to the training, or to the images where there are none.

    Args:
        workspace: of the visitor.
        key: names the button on its page.
        others: runs with models, which have learned from other images than the current ones; newest first.
    """
    if not list_datasets(workspace):
        no_images_yet(f"{key}-data")
        return
    text = "A training takes a few minutes. Its model is here as soon as the first epoch is done."
    if others:
        text = "No model has learned from these images. Train one, or take one that has learned from others:"
    empty_state(NO_MODEL, text, TRAIN, "Train a model", f"{key}-train")
    with st.container(horizontal=True, horizontal_alignment="center"):
        for run in others[:MOST_OFFERED]:
            words = f"{plain(run.name)}: {format_accuracy(run)}" if format_accuracy(run) else plain(run.name)
            st.button(words, key=f"{key}-take-{run.id}", on_click=choose_model, args=(run,))
