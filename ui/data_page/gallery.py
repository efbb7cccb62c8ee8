"""The images of a dataset, a page at a time: look at them, enlarge one, select several, move or remove them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from tl_core.data import SPLITS, Dataset, Finding, ImageRecord, health_report, load_dataset
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.storage.format import count
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.thumbnail import dataset_thumbnail
from ui.data_page.edits import revision_bar, selection_bar, show_refusal
from ui.shell.errors import error_boundary

PER_ROW: Final = 6  # at most; on a phone 3
PER_PAGE: Final = 36  # a whole number of rows of 6, 4 and 3
ALL: Final = "all"
EVERY_CLASS: Final = -1


def show_images_of(dataset: Dataset, finding: Finding) -> None:
    """Filter the gallery to the images that a line of the health report speaks of; for a callback."""
    st.session_state[f"gallery-finding-{dataset.id}"] = finding.text


@st.fragment
@error_boundary()
def show_gallery(workspace: Workspace, dataset: Dataset) -> None:
    """Draw one page of the images that are filtered; choosing others leaves the rest of the page alone."""
    if load_dataset(dataset.path).revision != dataset.revision:
        st.rerun()  # a change from in here was made: the counts and the health above have to tell of it too
    st.header("The images", anchor=False)
    mine = is_mine(workspace, dataset.path)
    above, controls, actions = st.container(), st.container(), st.container()  # the images stay where they are
    with controls:
        records, place = _filtered(dataset)
    chosen = _selected(dataset)
    with above:
        show_refusal()
        if mine:
            revision_bar(workspace, dataset)
    if mine and chosen:
        with actions:
            selection_bar(workspace, dataset, chosen, lambda: _selection(dataset).clear())
    if not records:
        st.caption("There are no such images.")
        return
    pages = -(-len(records) // PER_PAGE)
    grid = st.container()
    page = st.pagination(pages, key=f"gallery-page-{dataset.id}-{place}") if pages > 1 else 1
    shown = records[(page - 1) * PER_PAGE : page * PER_PAGE]
    with grid, st.grid(PER_ROW, min_column_width=96, gap="small"):
        for record in shown:
            _card(dataset, record, mine)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{count(len(records), 'image')}.", width="content")
        if mine:
            st.button(
                "Select all shown" if pages > 1 else "Select all",
                key=f"gallery-all-{dataset.id}",
                icon=":material/select_all:",
                type="tertiary",
                on_click=_selection(dataset).update,
                args=({_key(record) for record in shown},),
            )


def _filtered(dataset: Dataset) -> tuple[list[ImageRecord], str]:
    """The images that the controls choose, and what names this choice."""
    named = st.session_state.get(f"gallery-finding-{dataset.id}")
    finding = next((found for found in health_report(dataset) if found.text == named and found.images), None)
    if finding:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(finding.text)}**", width="stretch")
            st.button(
                "Show all images",
                key=f"gallery-unfilter-{dataset.id}",
                icon=":material/filter_alt_off:",
                on_click=st.session_state.pop,
                args=(f"gallery-finding-{dataset.id}", None),
            )
        return list(dict.fromkeys(finding.images)), "finding"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox(
            "Class",
            [EVERY_CLASS, *range(len(dataset.classes))],
            format_func=lambda place: "All classes" if place == EVERY_CLASS else dataset.classes[place],
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
    records = [
        record for record in dataset.images if label in (EVERY_CLASS, record.label) and split in (ALL, record.split)
    ]
    return records, f"{label}-{split}"


def _card(dataset: Dataset, record: ImageRecord, mine: bool) -> None:
    name, part = dataset.classes[record.label], SPLIT_TITLES[record.split].lower()
    key = f"gallery-{dataset.id}-{_key(record)}-{record.label}-{record.split}"
    with st.container(gap=None):
        st.image(
            dataset_thumbnail(dataset.path_of(record)),
            width="stretch",
            alt=f"{name}: {record.source_name}, {part}",
        )
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            if mine:
                st.session_state[f"{key}-on"] = _key(record) in _selection(dataset)
                st.checkbox(
                    f"Select {record.source_name}",
                    key=f"{key}-on",
                    label_visibility="collapsed",
                    on_change=_toggle,
                    args=(dataset, record),
                )
            if st.button(
                plain(name),
                key=f"{key}-open",
                type="tertiary",
                help=f"{plain(record.source_name)}, {part}. Press to enlarge.",
            ):
                _enlarge(dataset, record)


@st.dialog("One image", width="large", icon=":material/image:")
def _enlarge(dataset: Dataset, record: ImageRecord) -> None:
    st.image(
        dataset.path_of(record).read_bytes(),
        width="stretch" if record.width >= 400 else max(record.width, 240),
        alt=f"{dataset.classes[record.label]}: {record.source_name}",
    )
    st.markdown(f"**{plain(dataset.classes[record.label])}**, {SPLIT_TITLES[record.split].lower()}")
    st.caption(f"{plain(record.source_name)}, stored with {record.width} × {record.height} pixels")


def _key(record: ImageRecord) -> str:
    return f"{record.pixels_sha256[:16]}-{record.source_name}"


def _selection(dataset: Dataset) -> set[str]:
    """The keys of the images that are selected in this tab; a new revision begins with none."""
    known: tuple[int, set[str]] | None = st.session_state.get(f"gallery-selection-{dataset.id}")
    if known is None or known[0] != dataset.revision:
        known = (dataset.revision, set())
        st.session_state[f"gallery-selection-{dataset.id}"] = known
    return known[1]


def _selected(dataset: Dataset) -> Sequence[ImageRecord]:
    wanted = _selection(dataset)
    return [record for record in dataset.images if _key(record) in wanted] if wanted else []


def _toggle(dataset: Dataset, record: ImageRecord) -> None:
    _selection(dataset).symmetric_difference_update({_key(record)})
