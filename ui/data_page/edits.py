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
from ui.shell.navigation import HISTORY
from ui.shell.scrolling import show_from_here

_REFUSAL: Final = "edit-refusal"  # in the session: why the last change was refused, until it has been shown
_MESSAGE: Final = "edit-message"  # in the session: what the last change of this tab did, to what, and where to say so
_PRESS: Final = "edit-press"  # in the session: the button of the last change, and the revision that it was drawn for


def act(
    change: Callable[[], Dataset], done: str | None = None, *, press: tuple[str, int] | None = None, place: str = ""
) -> None:
    """Change a dataset in a callback; what was done, or why not, is shown above the images or where it was asked for.

    Args:
        change: gives the dataset as it is then.
        done: what is said; None = what its revision says.
        press: key of the button and the revision that it was drawn for: the second press of a double click is known
            by it, and ignored.
        place: where what was done is said, with `told_here`; empty = above the images.
    """
    if press is not None and press == st.session_state.get(_PRESS):
        return
    with error_boundary():
        try:
            dataset = change()
        except TransferLearningError as error:  # kept: where another tab was faster, the page is drawn again at once
            st.session_state[_REFUSAL] = str(error)
            return
        st.session_state[_PRESS] = press
        text = done or f"{present_revision(dataset).what}."
        st.session_state[_MESSAGE] = (dataset.id, dataset.revision, text, place)


def show_refusal() -> None:
    """Say why the last change was refused, if it was; once."""
    if refusal := st.session_state.pop(_REFUSAL, None):
        st.error(refusal, icon=":material/error:")


def _told(dataset: Dataset) -> tuple[str, str]:
    """What the last change of this tab did, and where that is said; two empty texts where another one followed."""
    told_id, revision, text, place = st.session_state.get(_MESSAGE, ("", 0, "", ""))
    return (text, place) if (told_id, revision) == (dataset.id, dataset.revision) else ("", "")


def place_of_last(dataset: Dataset) -> str:
    """Where the last change of this tab is told; empty = above the images, or nowhere any more."""
    return _told(dataset)[1]


def told_here(workspace: Workspace, dataset: Dataset, place: str) -> None:
    """Draw what was done at this place, with the button that undoes it, if the last change was made here."""
    text, where = _told(dataset)
    if not place or where != place:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":green[:material/check_circle:] {plain(text)}", width="content")
        _undo_button(workspace, dataset, f"undo-here-{dataset.id}")


def _undo_button(workspace: Workspace, dataset: Dataset, key: str) -> None:
    before = revision_before(dataset)
    st.button(
        "Undo",
        icon=":material/undo:",
        key=key,
        disabled=before is None,
        help=f"Undo: {plain(present_revision(dataset).what)}" if before else "This is how it was imported.",
        on_click=act,
        args=(lambda: undo(workspace, dataset.id, dataset.revision), "Undone."),
        kwargs={"press": (key, dataset.revision)},
    )


def revision_bar(workspace: Workspace, dataset: Dataset) -> None:
    """Draw what was done last, with the buttons that undo it and do it again, and the list of revisions."""
    after = revision_after(dataset)
    if len(dataset.revisions) < 2:
        return
    told, place = _told(dataset)
    with st.container(horizontal=True, vertical_alignment="center", key=f"revisions-{dataset.id}"):
        if told and not place:
            st.markdown(f":green[:material/check_circle:] {plain(told)}", width="content")
        elif dataset.revision > 1:
            st.markdown(f"Last change: {plain(present_revision(dataset).what)}", width="content")
        _undo_button(workspace, dataset, f"undo-{dataset.id}")
        if after:
            st.button(
                "Redo",
                icon=":material/redo:",
                key=f"redo-{dataset.id}",
                help=f"Do again: {plain(after.what)}",
                on_click=act,
                args=(lambda: redo(workspace, dataset.id), "Done again."),
                kwargs={"press": (f"redo-{dataset.id}", dataset.revision)},
            )
        history = f"history-{dataset.id}"
        if st.query_params.pop(HISTORY, None):  # once: a link from another page has led here
            show_from_here(str(dataset.revision), key="data-history")
            st.session_state[history] = True
        with st.popover(f"Revision {dataset.revision}", icon=":material/history:", key=history, on_change="rerun"):
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
    with bar, st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{count(len(chosen), 'image')} selected**", width="content")
        st.button("Clear", icon=":material/close:", key=f"{key}-clear", type="tertiary", on_click=clear)
    with bar, st.container(horizontal=True, vertical_alignment="bottom"):
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
            kwargs={"press": (f"{key}-move", dataset.revision)},
        )
        st.button(
            "Remove",
            icon=":material/delete:",
            key=f"{key}-remove",
            help="Takes them out of the dataset. Undo brings them back.",
            on_click=act,
            args=(lambda: remove_images(workspace, dataset.id, chosen),),
            kwargs={"press": (f"{key}-remove", dataset.revision)},
        )
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
