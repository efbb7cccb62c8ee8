"""Pictures that look alike, side by side, with what can be done about them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import streamlit as st

from tl_core.data import Dataset, ImageRecord
from tl_core.data.editing import keep_together, remove_images
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.thumbnail import dataset_thumbnail
from ui.data_page.edits import act, told_here

SHOWN = 4  # pictures of one group beside each other; of more the first ones
SIDE_BY_SIDE = 90  # px of one of them, so that a pair stands beside each other on a phone, too


def group_card(
    workspace: Workspace,
    dataset: Dataset,
    records: Sequence[ImageRecord],
    key: str,
    *,
    mine: bool,
    note: str = "",
    place: str = "",
    keep: Callable[[], None] | None = None,
) -> None:
    """Draw one group.

    Args:
        mine: whether it can be mended.
        note: how they are alike.
        place: where what was done is told; empty = above the images.
        keep: called when somebody says that nothing is wrong with them.
    """
    with st.container(border=True, gap="xsmall"):
        shown = records[:SHOWN]
        with st.grid(len(shown), min_column_width=SIDE_BY_SIDE, gap="small"):
            for record in shown:
                with st.container(gap="xsmall"):
                    _picture(workspace, dataset, record, key, place, mine)
        crosses = len({record.split == "train" for record in records}) > 1
        warning = "one to train on and one to measure with" if crosses else ""
        if text := ", ".join(filter(None, (note, warning))):
            st.caption(text)
        if crosses and mine:
            st.button(
                "Keep them together",
                key=f"{key}-together",
                icon=":material/join:",
                help="Puts them all into training, where they cannot make a result look better than it is.",
                on_click=act,
                args=(functools.partial(keep_together, workspace, dataset.id, records),),
                kwargs={"press": (f"{key}-together", dataset.revision), "place": place},
            )
        told_here(workspace, dataset, place)
        if keep is not None:
            st.button("Keep both", key=f"{key}-keep", type="tertiary", on_click=keep)


def _picture(workspace: Workspace, dataset: Dataset, record: ImageRecord, group: str, place: str, mine: bool) -> None:
    key = f"{group}-{record.source_name}-{record.split}-{record.label}"
    name = dataset.classes[record.label]
    st.image(dataset_thumbnail(dataset.path_of(record)), width="stretch", alt=f"{name}: {record.source_name}")
    st.markdown(f":small[**{plain(name)}**, {SPLIT_TITLES[record.split].lower()}]")
    if mine:
        st.button(
            "Remove",
            key=key,
            icon=":material/delete:",
            width="stretch",
            on_click=act,
            args=(functools.partial(remove_images, workspace, dataset.id, [record]),),
            kwargs={"press": (key, dataset.revision), "place": place},
        )
