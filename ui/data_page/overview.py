"""One dataset at a glance: how many images, how they are divided, how healthy it is, what was left out."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import streamlit as st

from tl_core.data import SPLITS, Dataset, Finding
from tl_core.data.editing import divide_again, keep_together, remove_duplicates
from tl_core.figures.class_counts import class_counts_figure, describe_class_counts
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.storage.format import moment
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.charts import INK, chart
from ui.components.markdown import plain
from ui.data_page.edits import act
from ui.data_page.faults.audit import divide_audited, findings_of, look_closer
from ui.data_page.gallery import show_images_of
from ui.shell.navigation import TRAIN, go_to
from ui.state.training_draft import draft

_SIGNS: Final = {
    "good": ":green[:material/check_circle:]",
    "note": ":blue[:material/info:]",
    "warning": ":orange[:material/warning:]",
}
_MENDS: Final[Mapping[str, tuple[str, str, Callable[[Workspace, Dataset], Dataset]]]] = {
    "divide_again": ("Split again", ":material/call_split:", lambda room, dataset: divide_again(room, dataset.id)),
    "keep_together": (
        "Keep them together",
        ":material/join:",
        lambda room, dataset: keep_together(room, dataset.id),
    ),
    "remove_duplicates": (
        "Remove the copies",
        ":material/layers_clear:",
        lambda room, dataset: remove_duplicates(room, dataset.id),
    ),
    "divide_audited": ("Split again, keeping look-alikes together", ":material/call_split:", divide_audited),
}
_SETTINGS: Final[Mapping[str, tuple[str, str, Mapping[str, Any]]]] = {  # mended when it is trained on
    "balance": ("Train with balanced classes", ":material/balance:", {"class_weights": True}),
    "border": ("Train with a border", ":material/crop_square:", {"fit": "border"}),
}
_MEANINGS: Final = {
    "train": "Images the model learns from.",
    "validation": "Images looked at after each epoch, to choose the best model.",
    "test": "Images looked at only once, at the end: the honest measure.",
}


def show_overview(workspace: Workspace, dataset: Dataset) -> None:
    """Draw the summary, the health report and the chart of the classes."""
    totals = Counter(record.split for record in dataset.images)
    figures = (
        ("Images", len(dataset.images), None),
        ("Classes", len(dataset.classes), None),
        *((SPLIT_TITLES[split], totals[split], _MEANINGS[split]) for split in SPLITS),
    )
    with st.grid(5, min_column_width=110):
        for label, value, text in figures:
            st.metric(label, f"{value:,}", help=text)
    origin = "came with the images" if dataset.given_splits else "was drawn here at random"
    imported = f"Imported from {plain(dataset.source)}, {moment(dataset.created)}."
    st.caption(f"{_sizes(dataset)} {imported} The split {origin}.")
    left, right = st.columns([3, 2], gap="large")
    with left:
        counts = dataset.counts()
        st.header("Images per class", anchor=False)
        figure = class_counts_figure(counts)
        figure.update_xaxes(tickfont_color=INK, title_font_color=INK).update_yaxes(tickfont_color=INK)
        chart(figure, describe_class_counts(counts), f"counts-{dataset.id}", displayModeBar=False)
    with right:
        st.header("Health", anchor=False)
        mine = is_mine(workspace, dataset.path)
        for place, finding in enumerate(findings_of(dataset)):
            _finding(workspace, dataset, finding, f"health-{dataset.id}-{dataset.revision}-{place}", mine)
        _skipped(dataset)


def _finding(workspace: Workspace, dataset: Dataset, finding: Finding, key: str, mine: bool) -> None:
    """One line of the report; where it speaks of images it is a button that shows them below."""
    text = f"{_SIGNS[finding.level]} {plain(finding.text)}"
    if not finding.images:
        st.markdown(f":small[{text}]")  # as large as the words of a button
    else:
        st.button(
            text,
            key=key,
            type="tertiary",
            wrap=True,
            help="Show these images below",
            on_click=show_images_of,
            args=(dataset, finding),
        )
    if finding.mends:
        with st.container(horizontal=True):
            for name in finding.mends:
                _mend_button(workspace, dataset, name, f"{key}-{name}", mine)


def _mend_button(workspace: Workspace, dataset: Dataset, name: str, key: str, mine: bool) -> None:
    if name in _SETTINGS:
        label, icon, changes = _SETTINGS[name]
        if st.button(label, key=key, icon=icon):
            draft().update(changes)
            go_to(TRAIN, dataset=dataset.id)
    elif name == "audit":
        st.button(
            "Look for turned and cropped ones",
            key=key,
            icon=":material/troubleshoot:",
            help="Pictures that were turned, mirrored or cropped are found by what a backbone sees in them.",
            on_click=look_closer,
            args=(dataset,),
        )
    elif mine:
        label, icon, mend = _MENDS[name]
        change = functools.partial(mend, workspace, dataset)
        press = {"press": (key, dataset.revision)}
        st.button(label, key=key, icon=icon, on_click=act, args=(change,), kwargs=press)


def _sizes(dataset: Dataset) -> str:
    smallest = min(dataset.images, key=lambda record: record.width * record.height)
    largest = max(dataset.images, key=lambda record: record.width * record.height)
    small, large = (f"{record.width} × {record.height}" for record in (smallest, largest))
    return f"All {small} pixels." if small == large else f"From {small} to {large} pixels."


def _skipped(dataset: Dataset) -> None:
    if not dataset.skipped:
        return
    with st.expander("Why files were left out", icon=":material/block:"):  # how many, the report above says
        st.dataframe(
            [{"File": skipped.name, "Why": skipped.reason} for skipped in dataset.skipped],
            hide_index=True,
            alt="The files that were left out, and why.",
        )
