"""Nine augmented views of one training image, made the way the training will make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import streamlit as st

from tl_core.config import AugmentationConfig
from tl_core.data import Dataset, read_image, resize_image
from tl_core.errors import ConfigError
from ui.state.form_values import augmentation_of
from ui.state.training_draft import draft

VIEWS: Final = 9
_SIZE: Final = 160  # px, enough to judge by and quick to make


def augmentation_preview(dataset: Dataset) -> None:
    """The preview, made on demand: it needs TensorFlow."""
    images = dataset.of_split("train")
    if not images:
        return
    if not st.toggle(
        "Show nine augmented views",
        key="train_preview_open",
        help="What the training would make of one of your images. The first time takes a few seconds.",
    ):
        return
    form = draft()
    record = images[form.image % len(images)]
    try:
        augmentation = augmentation_of(form.values)
    except ConfigError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    views = _views(dataset.path_of(record), form.values["fit"], augmentation, form.views)
    with st.grid(3, min_column_width=80, gap="xsmall"):
        for number, view in enumerate(views, start=1):
            alt = f"Augmented view {number} of an image of {dataset.classes[record.label]}"
            st.image(view, width="stretch", alt=alt)
    with st.container(horizontal=True):
        st.button("New views", icon=":material/casino:", on_click=_new_views)
        st.button("Another image", icon=":material/image:", on_click=_another_image)


@st.cache_data(max_entries=64, show_spinner="Making nine views …")
def _views(file: Path, fit: str, augmentation: AugmentationConfig, seed: int) -> list[np.ndarray[Any, Any]]:
    """Nine uint8 images ``(160, 160, 3)``; a file's name holds the hash of its pixels, so it is a safe key."""
    from tl_core.models.augmentation import augment_preview  # imports TensorFlow, so only when it is needed

    return augment_preview(resize_image(read_image(file), _SIZE, fit), augmentation, count=VIEWS, seed=seed)


def _new_views() -> None:
    draft().views += 1


def _another_image() -> None:
    # A large odd step walks through all classes instead of through the first one.
    draft().image += 7919
