"""The images of a dataset, a page at a time or on a map: look at them, select several, move or remove them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from tl_core.data import SPLITS, Dataset, Finding, ImageRecord, load_dataset
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.storage.format import count
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.data_page.edits import revision_bar, selection_bar, show_refusal
from ui.data_page.faults.audit import findings_of
from ui.data_page.faults.look_alikes import group_card
from ui.data_page.image_map.view import show_map
from ui.data_page.selection import clear_selection, image_card, select_images, selected_images
from ui.shell.errors import error_boundary

GROUPS_PER_PAGE: Final = 6  # of look-alikes
PER_ROW: Final = 6  # at most; on a phone 3
PER_PAGE: Final = 36  # a whole number of rows of 6, 4 and 3
ALL: Final = "all"
EVERY_CLASS: Final = -1
PAGES: Final = "Pages"
MAP: Final = "Map"
_ICONS: Final = {PAGES: ":material/grid_view:", MAP: ":material/scatter_plot:"}


def show_images_of(dataset: Dataset, finding: Finding) -> None:
    """Filter the gallery to the images that a line of the health report speaks of; for a callback."""
    st.session_state[f"gallery-finding-{dataset.id}"] = finding.text
    st.session_state[f"gallery-view-{dataset.id}"] = PAGES


@st.fragment
@error_boundary()
def show_gallery(workspace: Workspace, dataset: Dataset) -> None:
    """Draw one page of the images that are filtered; choosing others leaves the rest of the page alone."""
    if load_dataset(dataset.path).revision != dataset.revision:
        st.rerun()  # a change from in here was made: the counts and the health above have to tell of it too
    st.header("The images", anchor=False)
    mine = is_mine(workspace, dataset.path)
    with st.container():  # the images stay where they are, also where there is nothing to say above them
        show_refusal()
        if mine:
            revision_bar(workspace, dataset)
    view = st.segmented_control(
        "Show as",
        [PAGES, MAP],
        default=PAGES,
        format_func=lambda name: f"{_ICONS[name]} {name}",
        required=True,
        key=f"gallery-view-{dataset.id}",
        label_visibility="collapsed",
    )
    chosen = selected_images(dataset) if mine else ()

    def actions() -> None:
        with st.container():
            if chosen:
                selection_bar(workspace, dataset, chosen, lambda: clear_selection(dataset))

    if view == MAP:
        show_map(workspace, dataset, mine, actions)
    elif groups := _groups(dataset):
        _side_by_side(workspace, dataset, groups, mine)
    else:
        _pages(dataset, mine, actions)


def _groups(dataset: Dataset) -> Sequence[Sequence[ImageRecord]]:
    """The look-alikes that the chosen line of the health report speaks of."""
    finding = _finding(dataset)
    return finding.groups if finding else ()


def _side_by_side(
    workspace: Workspace, dataset: Dataset, groups: Sequence[Sequence[ImageRecord]], mine: bool
) -> None:
    _filtered(dataset)  # the line that they are of, and the way back
    pages = -(-len(groups) // GROUPS_PER_PAGE)
    cards = st.container()
    page = st.pagination(pages, key=f"gallery-groups-{dataset.id}-{pages}") if pages > 1 else 1
    with cards, st.grid("auto", min_column_width=260, gap="small"):
        for group in groups[(page - 1) * GROUPS_PER_PAGE : page * GROUPS_PER_PAGE]:
            key = "-".join(["group", dataset.id, *(f"{record.file}{record.source_name}" for record in group)])
            group_card(workspace, dataset, group, key, mine=mine)
    st.caption(f"{count(sum(len(group) for group in groups), 'image')}.")


def _finding(dataset: Dataset) -> Finding | None:
    """The line of the health report that was chosen."""
    named = st.session_state.get(f"gallery-finding-{dataset.id}")
    return next((found for found in findings_of(dataset) if found.text == named and found.images), None)


def _pages(dataset: Dataset, mine: bool, actions: Callable[[], None]) -> None:
    """The controls that filter the images, what can be done with those that are selected, and one page of them."""
    records, place = _filtered(dataset)
    actions()
    if not records:
        st.caption("There are no such images.")
        return
    pages = -(-len(records) // PER_PAGE)
    grid = st.container()
    page = st.pagination(pages, key=f"gallery-page-{dataset.id}-{place}") if pages > 1 else 1
    shown = records[(page - 1) * PER_PAGE : page * PER_PAGE]
    with grid, st.grid(PER_ROW, min_column_width=96, gap="small"):
        for record in shown:
            image_card(dataset, record, mine)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{count(len(records), 'image')}.", width="content")
        if mine:
            st.button(
                "Select all shown" if pages > 1 else "Select all",
                key=f"gallery-all-{dataset.id}",
                icon=":material/select_all:",
                type="tertiary",
                on_click=select_images,
                args=(dataset, shown),
            )


def _filtered(dataset: Dataset) -> tuple[list[ImageRecord], str]:
    """The images that the controls choose, and what names this choice."""
    if finding := _finding(dataset):
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
