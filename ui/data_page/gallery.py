"""The images of a dataset, class by class, a page at a time."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.data import SPLITS, Dataset
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.storage.format import count
from ui.components.thumbnail import dataset_thumbnail
from ui.shell.errors import error_boundary

PER_PAGE: Final = 36
ALL: Final = "all"


@st.fragment
@error_boundary()
def show_gallery(dataset: Dataset) -> None:
    """Draw one page of the images of one class; choosing another one leaves the rest of the page alone."""
    st.header("The images", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox(
            "Class",
            range(len(dataset.classes)),
            format_func=dataset.classes.__getitem__,
            key=f"gallery-class-{dataset.id}",
            width=260,
        )
        split = st.radio(
            "Part",
            [ALL, *(split for split in SPLITS if dataset.of_split(split))],
            horizontal=True,
            format_func=lambda name: SPLIT_TITLES.get(name, "All"),
            key=f"gallery-split-{dataset.id}",
        )
    records = [record for record in dataset.images if record.label == label and split in (ALL, record.split)]
    if not records:
        st.caption("This class has no images in this part.")
        return
    pages = -(-len(records) // PER_PAGE)
    grid = st.container()
    page = st.pagination(pages, key=f"gallery-page-{dataset.id}-{label}-{split}") if pages > 1 else 1
    shown = records[(page - 1) * PER_PAGE : page * PER_PAGE]
    with grid, st.grid("auto", min_column_width=80, gap="xsmall"):
        for record in shown:
            st.image(
                dataset_thumbnail(dataset.path_of(record)),
                width="stretch",
                alt=f"{dataset.classes[label]}: {record.source_name}, {SPLIT_TITLES[record.split].lower()}",
            )
    st.caption(f"{count(len(records), 'image')} of this class.")
