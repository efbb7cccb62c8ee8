"""One doubtful label at a time, beside the pictures most like it, decided with a key: keep, move, or not sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from tl_core.data import Dataset, ImageRecord
from tl_core.data.editing import move_images
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.thumbnail import dataset_thumbnail
from ui.data_page.edits import act, told_here

if TYPE_CHECKING:
    from tl_core.audit.label_court import LabelSuspect


def show_case(
    workspace: Workspace,
    dataset: Dataset,
    suspect: LabelSuspect,
    witnesses: Mapping[ImageRecord, tuple[ImageRecord, ...]],
    kept: set[ImageRecord],
    unsure: list[ImageRecord],
) -> None:
    """Draw the case.

    Args:
        witnesses: the images most like each suspect.
        kept: gets the image where its label is right.
        unsure: gets it where nobody can tell; it comes again after all others.
    """
    record = suspect.record
    present = set(dataset.images)
    with st.container(border=True, key=f"case-{dataset.id}"):
        left, right = st.columns([1, 2], gap="medium")
        left.image(
            dataset_thumbnail(dataset.path_of(record)),
            width="stretch",
            alt=f"{record.source_name}, labelled {suspect.label}, looks like {suspect.suggested}",
        )
        with right:
            st.markdown(f"Is this **{plain(suspect.label)}**, or **{plain(suspect.suggested)}**?")
            with st.container(horizontal=True):
                _answers(workspace, dataset, suspect, kept, unsure)
            told_here(workspace, dataset, f"case-{dataset.id}")
            beside = [image for image in witnesses.get(record, ()) if image in present]
            if beside:
                st.caption("Most like it:")
                with st.grid(len(beside), min_column_width=56, gap="small"):
                    for image in beside:
                        name = dataset.classes[image.label]
                        with st.container(gap=None):
                            st.image(dataset_thumbnail(dataset.path_of(image)), width="stretch", alt=f"{name}, alike")
                            st.markdown(f":small[{plain(name)}]")


def _answers(
    workspace: Workspace,
    dataset: Dataset,
    suspect: LabelSuspect,
    kept: set[ImageRecord],
    unsure: list[ImageRecord],
) -> None:
    record, key = suspect.record, f"case-{dataset.id}"
    st.button(
        f"Keep {plain(suspect.label)}",
        key=f"{key}-keep",
        shortcut="K",
        on_click=kept.add,
        args=(record,),
    )
    st.button(
        f"Move to {plain(suspect.suggested)}",
        key=f"{key}-move",
        icon=":material/drive_file_move:",
        type="primary",
        shortcut="M",
        on_click=act,
        args=(lambda: move_images(workspace, dataset.id, [record], to_class=suspect.suggested),),
        kwargs={"press": (f"{key}-move-{record.file}-{record.source_name}", dataset.revision), "place": key},
    )

    def later() -> None:
        unsure[:] = [*(known for known in unsure if known != record), record]

    st.button("Not sure", key=f"{key}-unsure", shortcut="U", help="It comes again after all others.", on_click=later)
