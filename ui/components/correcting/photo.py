"""*Wrong? It is …* under an answer: the photo gets into the images that the model learns from next."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.data import Dataset, load_dataset
from tl_core.data.correction import put_into_class
from tl_core.errors import DataError
from tl_core.runs import RunRecord
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.correcting.changing import change_images, show_refusal
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.shell.navigation import PREDICT

LABEL: Final = "Wrong? It is …"
CHOICE_WIDTH: Final = 320  # px; the sentence would make it as wide as it is long


def correct_photo(workspace: Workspace, picture: Picture, run: RunRecord, key: str) -> None:
    """Draw the button and what is behind it; where the images cannot be changed, why not.

    Args:
        workspace: of the visitor.
        picture: that was predicted.
        run: whose model has answered; the picture goes to its dataset.
        key: names the control on its page.
    """
    try:
        dataset = load_dataset(run.dataset_path)
    except DataError:
        st.caption("Wrong? The images of this model were deleted, so the photo cannot be added to them.")
        return
    if not is_mine(workspace, dataset.path):
        st.caption(f"Wrong? Only the owner of the images **{plain(dataset.name)}** can add this photo to them.")
        return
    show_refusal(key)
    # After a change it is another control, closed and empty.
    with (
        st.popover(LABEL, icon=":material/edit:", key=f"{key}-{dataset.revision}"),
        st.container(width=CHOICE_WIDTH),
    ):
        _choice(workspace, picture, dataset, key)


def _choice(workspace: Workspace, picture: Picture, dataset: Dataset, key: str) -> None:
    chosen = st.selectbox(
        "It is",
        dataset.classes,
        index=None,
        accept_new_options=True,
        placeholder="A class, or a new name",
        key=f"{key}-class-{dataset.revision}",
    )
    st.caption(
        f"By adding it you agree that the photo is kept with the images of **{plain(dataset.name)}**, for everybody "
        "who may open them.",
        help="Undo takes it out of the training. It is erased for good when the dataset is deleted.",
    )
    st.button(
        "Add to the training images",
        key=f"{key}-add-{dataset.revision}",
        type="primary",
        disabled=not chosen,
        on_click=_add,
        args=(workspace, picture, dataset, chosen, key),
    )


def _add(workspace: Workspace, picture: Picture, dataset: Dataset, class_name: str, key: str) -> None:
    # The id of a test image is the hash of its pixels; of an uploaded photo it is no hash of anything.
    own = picture.id if picture.truth else ""
    change_images(
        lambda: put_into_class(workspace, dataset.id, picture.name, picture.data, class_name, pixels_sha256=own),
        key,
        PREDICT,
        dataset,
    )
