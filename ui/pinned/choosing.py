"""Choosing the pictures that are watched while a model learns: one's own, or images it will not learn from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from tl_core.data import Dataset
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.errors import ImageError
from tl_core.pinned import MAX_PINNED, Pin, pin_of_dataset, pin_upload
from ui.datasets.gallery import thumbnail as dataset_thumbnail
from ui.prediction.pictures import FILE_TYPES
from ui.prediction.thumbnail import thumbnail
from ui.words import count, plain

AT_ONCE: Final = 4  # images of the dataset that one click adds
SPLITS: Final = ("test", "validation")  # a training image would flatter the model
_FILES_KEY: Final = "train_pinned_files"


def choose_pinned(dataset: Dataset) -> list[Pin]:
    """Draw the folded section of the form; returns what is to be watched, at most eight pictures."""
    with st.expander("Watch some pictures while it learns", icon=":material/visibility:", key="train_pinned"):
        st.caption(
            f"Pin up to {MAX_PINNED} pictures. Under the curves you will see, epoch by epoch, what the model thinks "
            "they are. It does not learn from them."
        )
        left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
        with left:
            files = st.file_uploader(
                "Pictures of your own",
                type=FILE_TYPES,
                accept_multiple_files=True,
                max_upload_size=MAX_IMAGE_BYTES // 1_000_000,
                key=_FILES_KEY,
                help="They stay on this machine: each is kept, made smaller, with the run.",
            )
        uploaded = _uploads(files)
        with right:
            rows = _of_dataset(dataset, MAX_PINNED - len(uploaded))
        pins = [pin for pin, _ in uploaded]
        pins += [pin_of_dataset(dataset, dataset.images[row]) for row in rows]
        _show([picture for _, picture in uploaded], dataset, rows)
    if pins:
        st.caption(f":material/visibility: {count(len(pins), 'picture')} will be watched.")
    return pins


def _uploads(files: Sequence[Any]) -> list[tuple[Pin, tuple[str, bytes]]]:
    """What can be used of the uploads, with name and thumbnail; a sentence for what cannot."""
    found: list[tuple[Pin, tuple[str, bytes]]] = []
    for file in files[:MAX_PINNED]:
        try:
            found.append((_pin(file.file_id, file.name, file.getvalue()), (file.name, _small(file))))
        except ImageError as error:
            st.warning(f"**{plain(file.name)}**: {error}", icon=":material/broken_image:")
    if len(files) > MAX_PINNED:
        st.warning(f"Only the first {MAX_PINNED} of {len(files):,} pictures are watched.")
    return found


@st.cache_data(scope="session", max_entries=MAX_PINNED, show_spinner=False)
def _pin(picture_id: str, name: str, _data: bytes) -> Pin:
    """Decoded once, though the form is drawn at every touch; the id stands for the bytes."""
    del picture_id
    return pin_upload(name, _data)


def _small(file: Any) -> bytes:
    return thumbnail(file.file_id, file.getvalue())


def _of_dataset(dataset: Dataset, room: int) -> list[int]:
    """Buttons that add and remove images of the dataset; returns their rows, which is all that is remembered."""
    state = f"train_pinned_rows_{dataset.id}"
    rows: list[int] = st.session_state.get(state, [])[: max(0, room)]
    offered = next((split for split in SPLITS if dataset.of_split(split)), None)
    if offered is None:
        return []
    with st.container(horizontal=True):
        st.button(
            f"Add {offered} images",
            key="train_pinned_add",
            icon=":material/casino:",
            disabled=len(rows) >= min(room, len(dataset.of_split(offered))),
            on_click=_add,
            args=(state, dataset, offered, rows, room),
            help=f"Adds up to {AT_ONCE} images that the model does not learn from, at random, of each class in turn.",
        )
        st.button(
            "Remove them",
            key="train_pinned_remove",
            icon=":material/close:",
            type="tertiary",
            disabled=not rows,
            on_click=_forget,
            args=(state,),
        )
    return rows


def _add(state: str, dataset: Dataset, split: str, rows: list[int], room: int) -> None:
    more = spread_over_classes(dataset, split, rows, min(AT_ONCE, room - len(rows)))
    st.session_state[state] = [*rows, *more]


def _forget(state: str) -> None:
    st.session_state.pop(state, None)


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
    shares = [sum(dataset.images[row].label == label for row in taken) for label in range(len(dataset.classes))]
    chosen: list[int] = []
    while left and len(chosen) < amount:
        row = min(left, key=lambda row: shares[dataset.images[row].label])
        left.remove(row)
        shares[dataset.images[row].label] += 1
        chosen.append(row)
    return chosen


def _show(uploads: Sequence[tuple[str, bytes]], dataset: Dataset, rows: Sequence[int]) -> None:
    pictures = [(name, name, picture) for name, picture in uploads]
    for row in rows:
        record = dataset.images[row]
        name = dataset.classes[record.label]
        pictures.append((name, f"{name}: {record.source_name}", dataset_thumbnail(dataset.path_of(record))))
    if pictures:
        with st.grid("auto", min_column_width=80, gap="small"):
            for name, described, picture in pictures:
                with st.container(gap="xxsmall"):
                    st.image(picture, width=76, alt=described)
                    st.caption(plain(name))
