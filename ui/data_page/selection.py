"""The images that are selected in this tab, and the card on which one is ticked or enlarged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from tl_core.data import Dataset, ImageRecord
from tl_core.figures.palette import SPLIT_TITLES
from ui.components.markdown import plain
from ui.components.thumbnail import dataset_thumbnail


def selected_images(dataset: Dataset) -> Sequence[ImageRecord]:
    """The images that are selected, in the dataset's order; a new revision begins with none."""
    wanted = _selection(dataset)
    return [record for record in dataset.images if _key(record) in wanted] if wanted else []


def select_images(dataset: Dataset, records: Iterable[ImageRecord], *, alone: bool = False) -> None:
    """Select images as well, or ``alone`` in place of all others; for a callback."""
    selection = _selection(dataset)
    if alone:
        selection.clear()
    selection.update(_key(record) for record in records)


def clear_selection(dataset: Dataset) -> None:
    """Select nothing; for a callback."""
    _selection(dataset).clear()


def image_card(dataset: Dataset, record: ImageRecord, mine: bool, place: str = "gallery") -> None:
    """Draw an image with the box that selects it and the button that enlarges it.

    Args:
        mine: whether it can be selected.
        place: tells apart cards of one image on one page.
    """
    name, part = dataset.classes[record.label], SPLIT_TITLES[record.split].lower()
    key = f"{place}-{dataset.id}-{_key(record)}-{record.label}-{record.split}"
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
                    on_change=_tick,
                    args=(dataset, record, f"{key}-on"),
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
    """The keys of the selected images."""
    known: tuple[int, set[str]] | None = st.session_state.get(f"gallery-selection-{dataset.id}")
    if known is None or known[0] != dataset.revision:
        known = (dataset.revision, set())
        st.session_state[f"gallery-selection-{dataset.id}"] = known
    return known[1]


def _tick(dataset: Dataset, record: ImageRecord, box: str) -> None:
    """As the box stands now: told twice, it is still the same."""
    if st.session_state[box]:
        _selection(dataset).add(_key(record))
    else:
        _selection(dataset).discard(_key(record))
