"""“It looked like these”: the training images that are most like an image to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.data import Dataset, ImageRecord
from tl_core.runs import RunRecord
from ui.components.gallery import thumbnail
from ui.components.markdown import plain
from ui.components.task_progress import waiting_bar

if TYPE_CHECKING:
    from tl_core.inference.nearest_neighbours import Features

SHOWN: Final = 6


def nearest_images(dataset: Dataset, run: RunRecord, image: ImageRecord, key: str) -> None:
    """Draw the nearest training images, or a button that makes them known where they are not yet.

    Args:
        dataset: that the image belongs to.
        run: whose model looks at them.
        image: one image of the dataset.
        key: prefix of the controls' keys.
    """
    from tl_core.inference.nearest_neighbours import cached_features  # imports TensorFlow

    st.markdown("**It looked like these**")
    features = cached_features(run.path, dataset)
    if features is None:
        place = st.empty()
        with place.container():
            st.caption("The training images that are most alike to this model often tell why it answers as it does.")
            wanted = st.button("Find them", key=f"{key}-find", icon=":material/image_search:")
        if not wanted:
            return
        place.empty()
        features = _compute(dataset, run)
    _show(features, dataset, image)


def _compute(dataset: Dataset, run: RunRecord) -> Features:
    """Let the backbone look at every image once; closing the dialog and going on ends it."""
    from tl_core.inference.nearest_neighbours import feature_vectors

    with waiting_bar("Opening the model …") as task:
        return feature_vectors(run.path, dataset, task)


def _show(features: Features, dataset: Dataset, image: ImageRecord) -> None:
    from tl_core.inference.nearest_neighbours import nearest_neighbours

    found = nearest_neighbours(features, dataset, image, SHOWN)
    if not found:
        st.caption("The dataset has no other training image.")
        return
    with st.grid(SHOWN, min_column_width=90, gap="small"):
        for neighbour in found:
            name = dataset.classes[neighbour.record.label]
            with st.container(gap="xsmall"):
                st.image(
                    thumbnail(dataset.path_of(neighbour.record)), width="stretch", alt=f"Training image of {name}"
                )
                st.caption(f"**{plain(name)}**  \n{neighbour.similarity:.2f} alike")
    st.caption("Of all training images, the nearest by the backbone's features (1.00 = the same to the model).")
