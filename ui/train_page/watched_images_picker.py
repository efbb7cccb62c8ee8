"""Choosing the pictures that are watched while a model trains: own pictures, or images it is not trained on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.errors import ImageError
from tl_core.runs.watched_images import (
    MAX_WATCHED,
    NewWatchedImage,
    save_watched_draft,
    watch_dataset_image,
    watch_upload,
    watched_draft,
)
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace, new_id
from ui.components.markdown import plain
from ui.components.pictures import image_uploader
from ui.components.thumbnail import dataset_thumbnail, thumbnail

AT_ONCE: Final = 4  # images of the dataset that one click adds
SPLIT: Final = "validation"  # a training image would flatter the model; test images are looked at once, at the end
_DRAFT_KEY: Final = "train_watched_draft"
_UPLOADS_KEY: Final = "train_watched_uploads"  # how many times there were any: each time the field is a new one
_REFUSED_KEY: Final = "train_watched_refused"


def choose_watched_images(workspace: Workspace, dataset: Dataset) -> list[NewWatchedImage]:
    """Draw the folded section of the form; returns what is to be watched, at most eight pictures."""
    with st.expander("Watch some pictures while it learns", icon=":material/visibility:", key="train_watched"):
        st.caption(
            f"Pin up to {MAX_WATCHED} pictures. Under the curves you will see, epoch by epoch, what the model thinks "
            "they are. It does not learn from them."
        )
        left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
        with left:
            brought = _brought(workspace)
        with right:
            rows = _of_dataset(dataset, MAX_WATCHED - len(brought))
        watched = [*brought, *(watch_dataset_image(dataset, dataset.images[row]) for row in rows)]
        pictures = [(own.name, own.name, thumbnail(sha256(own.encoded).hexdigest(), own.encoded)) for own in brought]
        for row in rows:
            record = dataset.images[row]
            name = dataset.classes[record.label]
            pictures.append((name, f"{name}: {record.source_name}", dataset_thumbnail(dataset.path_of(record))))
        if pictures:
            grid = st.grid("auto", min_column_width=80, gap="small")
            for name, alt, picture in pictures:
                with grid.container(gap="xxsmall"):
                    st.image(picture, width=76, alt=alt)
                    st.caption(plain(name))
    if watched:
        st.caption(f":material/visibility: {count(len(watched), 'picture')} will be watched.")
    return watched


def _brought(workspace: Workspace) -> list[NewWatchedImage]:
    """Pictures of one's own; they wait on the disk, so that leaving the form does not lose them."""
    draft_id: str = st.session_state.setdefault(_DRAFT_KEY, new_id("pinned"))
    watched = watched_draft(workspace, draft_id)
    times = st.session_state.get(_UPLOADS_KEY, 0)
    files = image_uploader(
        "Pictures of your own",
        f"train_watched_files_{times}",
        "They stay on this machine: each is kept, made smaller, with the run; before Start for a day at most.",
    )
    if files:
        room = MAX_WATCHED - len(watched)
        refused: list[str] = []
        for file in files[:room]:
            try:
                watched.append(watch_upload(file.name, file.getvalue()))
            except ImageError as error:
                refused.append(f"**{plain(file.name)}**: {error}")
        if len(files) > room:
            left_out = count(len(files) - room, "is", "are")
            refused.append(f"At most {MAX_WATCHED} pictures are watched; {left_out} left out.")
        save_watched_draft(workspace, draft_id, watched)
        st.session_state[_REFUSED_KEY] = refused
        st.session_state[_UPLOADS_KEY] = times + 1
        st.rerun()
    for sentence in st.session_state.get(_REFUSED_KEY, ()):
        st.warning(sentence, icon=":material/broken_image:")
    if watched:
        st.button(
            "Remove mine",
            key="train_watched_remove_mine",
            icon=":material/close:",
            type="tertiary",
            on_click=_remove_mine,
            args=(workspace, draft_id),
        )
    return watched


def _remove_mine(workspace: Workspace, draft_id: str) -> None:
    save_watched_draft(workspace, draft_id, ())
    st.session_state.pop(_REFUSED_KEY, None)


def _of_dataset(dataset: Dataset, room: int) -> list[int]:
    """Buttons that add and remove images of the dataset; returns their rows, which is all that is remembered."""
    state = f"train_watched_rows_{dataset.id}"
    rows: list[int] = st.session_state.get(state, [])[: max(0, room)]
    if not dataset.of_split(SPLIT):
        return []
    with st.container(horizontal=True):
        st.button(
            f"Add {SPLIT} images",
            key="train_watched_add",
            icon=":material/casino:",
            disabled=len(rows) >= min(room, len(dataset.of_split(SPLIT))),
            on_click=_add,
            args=(state, dataset, room),
            help=f"Adds up to {AT_ONCE} images that the model does not learn from, at random, of each class in turn.",
        )
        st.button(
            "Remove them",
            key="train_watched_remove",
            icon=":material/close:",
            type="tertiary",
            disabled=not rows,
            on_click=st.session_state.pop,
            args=(state, None),
        )
    return rows


def _add(state: str, dataset: Dataset, room: int) -> None:
    rows: list[int] = st.session_state.get(state, [])
    more = spread_over_classes(dataset, SPLIT, rows, max(0, min(AT_ONCE, room - len(rows))))
    st.session_state[state] = [*rows, *more]


def spread_over_classes(dataset: Dataset, split: str, taken: Sequence[int], amount: int) -> list[int]:
    """Rows of images drawn at random, always from a class of which the fewest are taken.

    Args:
        dataset: whose images.
        split: which of them.
        taken: rows that are no longer to be had.
        amount: at most so many.
    """
    left = [row for row, image in enumerate(dataset.images) if image.split == split and row not in taken]
    random.shuffle(left)
    shares = Counter(dataset.images[row].label for row in taken)
    chosen: list[int] = []
    while left and len(chosen) < amount:
        row = min(left, key=lambda row: shares[dataset.images[row].label])
        left.remove(row)
        shares[dataset.images[row].label] += 1
        chosen.append(row)
    return chosen
