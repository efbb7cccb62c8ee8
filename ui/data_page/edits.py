"""Changing a dataset from the Data page: what was done last, undo and redo, and the actions on chosen images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Final

import streamlit as st

from tl_core.data import SPLITS, Dataset, ImageRecord
from tl_core.data.editing import move_images, remove_images
from tl_core.data.revisions import present_revision, redo, revision_after, revision_before, undo
from tl_core.errors import TransferLearningError
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.storage.format import count, moment
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.shell.errors import error_boundary

_REFUSAL: Final = "edit-refusal"  # in the session: why the last change was refused, until it has been shown
_MESSAGE: Final = "edit-message"  # in the session: what the last change of this tab did


def act(change: Callable[[], Dataset], done: str | None = None) -> None:
    """Change a dataset in a callback; what was done, or why not, is shown above the images.

    Args:
        change: gives the dataset as it is then.
        done: what is said; None = what its revision says.
    """
    with error_boundary():
        try:
            dataset = change()
        except TransferLearningError as error:  # kept: where another tab was faster, the page is drawn again at once
            st.session_state[_REFUSAL] = str(error)
            return
        st.session_state[_MESSAGE] = (dataset.id, dataset.revision, done or f"{present_revision(dataset).what}.")


def show_refusal() -> None:
    """Say why the last change was refused, if it was; once."""
    if refusal := st.session_state.pop(_REFUSAL, None):
        st.error(refusal, icon=":material/error:")


def revision_bar(workspace: Workspace, dataset: Dataset) -> None:
    """Draw what was done last, with the buttons that undo it and do it again, and the list of revisions."""
    before, after = revision_before(dataset), revision_after(dataset)
    if len(dataset.revisions) < 2:
        return
    told_id, told_revision, told = st.session_state.get(_MESSAGE, ("", 0, ""))
    with st.container(horizontal=True, vertical_alignment="center", key=f"revisions-{dataset.id}"):
        if (told_id, told_revision) == (dataset.id, dataset.revision):
            st.markdown(f":green[:material/check_circle:] {plain(told)}", width="content")
        st.button(
            "Undo",
            icon=":material/undo:",
            key=f"undo-{dataset.id}",
            disabled=before is None,
            help=f"Undo: {plain(present_revision(dataset).what)}" if before else "This is how it was imported.",
            on_click=act,
            args=(lambda: undo(workspace, dataset.id), "Undone."),
        )
        if after:
            st.button(
                "Redo",
                icon=":material/redo:",
                key=f"redo-{dataset.id}",
                help=f"Do again: {plain(after.what)}",
                on_click=act,
                args=(lambda: redo(workspace, dataset.id), "Done again."),
            )
        with st.popover(f"Revision {dataset.revision}", icon=":material/history:", key=f"history-{dataset.id}"):
            for revision in reversed(dataset.revisions):
                here = " :green-badge[now]" if revision.number == dataset.revision else ""
                st.markdown(f"**{revision.number}** {plain(revision.what)}{here}  \n:small[{moment(revision.when)}]")
            st.caption("A model stays tied to the revision it was trained on; no image of it is lost.")


def selection_bar(
    workspace: Workspace, dataset: Dataset, chosen: Sequence[ImageRecord], clear: Callable[[], None]
) -> None:
    """Draw what can be done with the chosen images."""
    key = f"selection-{dataset.id}-{dataset.revision}"
    bar = st.container(border=True, key=key)
    with bar, st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(f"**{count(len(chosen), 'image')} selected**", width="content")
        label = st.selectbox(
            "Move to class",
            dataset.classes,
            index=None,
            accept_new_options=True,
            placeholder="A class, or a new name",
            key=f"{key}-class",
            width=190,
        )
        split = st.selectbox(
            "Move to part",
            SPLITS,
            index=None,
            format_func=SPLIT_TITLES.__getitem__,
            placeholder="Part",
            key=f"{key}-split",
            width=120,
        )
        st.button(
            "Move",
            icon=":material/drive_file_move:",
            key=f"{key}-move",
            type="primary",
            disabled=not (label or split),
            on_click=act,
            args=(lambda: move_images(workspace, dataset.id, chosen, to_class=label, to_split=split),),
        )
        st.button(
            "Remove",
            icon=":material/delete:",
            key=f"{key}-remove",
            help="Takes them out of the dataset. Undo brings them back.",
            on_click=act,
            args=(lambda: remove_images(workspace, dataset.id, chosen),),
        )
        st.button("Clear", icon=":material/close:", key=f"{key}-clear", type="tertiary", on_click=clear)
    with bar:
        offer_match(label, dataset.classes, f"{key}-class")


def offer_match(typed: str | None, classes: Sequence[str], key: str) -> None:
    """Say that a typed name makes a new class, with a button for the class that was perhaps meant.

    Args:
        typed: what the list of classes with this ``key`` holds.
        classes: that are there.
        key: of the list.
    """
    if not typed or typed in classes:
        return
    by_case = {name.casefold(): name for name in reversed(classes)}
    begun = [name for name in classes if name.casefold().startswith(typed.casefold())]
    close = [by_case[found] for found in get_close_matches(typed.casefold(), by_case, 1)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"**{plain(typed)}** will be a new class.", width="content")
        for name in [*begun, *close][:1]:
            st.button(f"Use {plain(name)}", key=f"{key}-match", on_click=_take, args=(key, name))


def _take(key: str, name: str) -> None:
    st.session_state[key] = name
