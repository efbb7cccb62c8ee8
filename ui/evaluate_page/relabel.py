"""A wrong label, mended where it is seen: one image of a mistake, or all images of a cell of the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from tl_core.data import Dataset, ImageRecord, load_dataset
from tl_core.data.correction import present_image
from tl_core.data.editing import move_images, remove_images
from tl_core.storage.format import count
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.correcting.changing import change_images
from ui.components.markdown import plain
from ui.shell.navigation import EVALUATE

CHOICE_WIDTH: Final = 280  # px


@dataclass(frozen=True, slots=True)
class Labels:
    """The images that were measured, and what the dataset says of them now."""

    workspace: Workspace
    measured: Dataset  # as the model learned from it
    now: Dataset
    key: str  # of the place that says why a change was refused

    @property
    def mine(self) -> bool:
        """Whether the person may change them."""
        return is_mine(self.workspace, self.now.path)

    def present(self, record: ImageRecord) -> ImageRecord | None:
        """What a measured image is now; None where it was removed."""
        return present_image(self.measured, record, self.now)

    def unchanged(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """Those of the measured images that are still what they were, as they are now."""
        pairs = [(record, self.present(record)) for record in records]
        return [now for record, now in pairs if now is not None and self._name(record) == self.name(now)]

    def name(self, record: ImageRecord) -> str:
        """The present class of a present image."""
        return self.now.classes[record.label]

    def _name(self, record: ImageRecord) -> str:
        return self.measured.classes[record.label]


def labels_of(workspace: Workspace, measured: Dataset, key: str) -> Labels:
    """What there is to change of the images that were measured."""
    return Labels(workspace, measured, load_dataset(measured.path), key)


def mend_label(labels: Labels, record: ImageRecord, said: str, key: str) -> None:
    """Draw the button that mends one image, or what has become of it since it was measured.

    Args:
        labels: of all images.
        record: as it was measured.
        said: the answer of the model, which is offered first.
        key: names the controls on their page.
    """
    now = labels.present(record)
    if now is None:
        st.markdown(":small[:gray[:material/delete: removed since]]")
    elif not labels.unchanged([record]):
        st.markdown(f":small[:gray[:material/edit: now **{plain(labels.name(now))}**]]")
    elif labels.mine:
        with st.popover("Wrong label?", type="tertiary", icon=":material/edit:", key=f"{key}-{labels.now.revision}"):
            _mend(labels, [record], said, key)


def mend_cell(labels: Labels, records: Sequence[ImageRecord], said: str, key: str) -> None:
    """Draw the button that mends all images of a cell at once; nothing where there is none to mend."""
    left = labels.unchanged(records) if labels.mine else []
    if len(left) > 1:
        title = f"Change the label of all {len(left):,}"
        with st.popover(title, icon=":material/edit:", key=f"{key}-{labels.now.revision}"):
            _mend(labels, records, said, key)


def _mend(labels: Labels, records: Sequence[ImageRecord], said: str, key: str) -> None:
    classes = labels.now.classes
    with st.container(width=CHOICE_WIDTH):
        name = st.selectbox(
            "The right label",
            classes,
            index=classes.index(said) if said in classes else None,
            accept_new_options=True,
            placeholder="A class, or a new name",
            key=f"{key}-class-{labels.now.revision}",
        )
        images = "the image" if len(records) == 1 else count(len(labels.unchanged(records)), "image")
        st.button(
            "Change the label",
            key=f"{key}-move-{labels.now.revision}",
            icon=":material/check:",
            type="primary",
            disabled=not name,
            width="stretch",
            on_click=_move,
            args=(labels, records, name),
        )
        st.button(
            f"Remove {images}",
            key=f"{key}-remove-{labels.now.revision}",
            icon=":material/delete:",
            width="stretch",
            help="Takes it out of the dataset. Undo brings it back.",
            on_click=_remove,
            args=(labels, records),
        )


def _move(labels: Labels, records: Sequence[ImageRecord], name: str) -> None:
    images, now = labels.unchanged(records), labels.now
    change_images(lambda: move_images(labels.workspace, now.id, images, to_class=name), labels.key, EVALUATE, now)


def _remove(labels: Labels, records: Sequence[ImageRecord]) -> None:
    images, now = labels.unchanged(records), labels.now
    change_images(lambda: remove_images(labels.workspace, now.id, images), labels.key, EVALUATE, now)
