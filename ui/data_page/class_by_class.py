"""Pictures brought class by class: as files, with the camera, from a video; seen at once, and removed one by one."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.data import SPLITS, Dataset, ImageRecord, SplitConfig
from tl_core.data.collecting import PictureCollection, make_dataset, named_pictures
from tl_core.data.editing import add_collected
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count, size
from tl_core.storage.workspace import Workspace
from ui.data_page.edits import offer_match
from ui.data_page.new_dataset import ButtonType, begin_import, fields_generation, name_field, split_controls
from ui.data_page.piles import (
    NEW,
    arriving,
    file_field,
    form_collection,
    let_go,
    pile_pictures,
    show_left_out,
)
from ui.shell.access.endpoints import upload_limit
from ui.shell.errors import error_boundary
from ui.state.tab_memory import keep_in_tab, kept_in_tab

MAX_CLASSES: Final = 30  # one row each; for more use a folder or a zip
_EXAMPLES: Final = ("for example cat", "for example dog")
_NAMES: Final = "class-names"  # in the memory of the tab: of the rows, so that a reload keeps them
_MADE: Final = "class-names-made"  # in the session: a collection that an import has taken, and its names


def class_by_class(workspace: Workspace, kind: ButtonType) -> None:
    """Draw one row per class, and the button that makes a dataset of them; ``kind`` is the type of that button."""
    st.fragment(_new_form)(workspace, kind)


def add_to_dataset(workspace: Workspace, dataset: Dataset) -> None:
    """Draw the fields that add pictures to one class, old or new, of a dataset that is there."""
    st.fragment(_adding_form)(workspace, dataset)


@error_boundary()
def _new_form(workspace: Workspace, kind: ButtonType) -> None:
    generation = fields_generation()
    collection = form_collection(workspace, NEW)
    made, made_names = st.session_state.get(_MADE, ("", []))
    if collection and collection.id == made:  # they came back: the import was refused or cancelled
        del st.session_state[_MADE]
        keep_in_tab(_NAMES, made_names)
        st.session_state.pop(_NAMES, None)
    _restore_names(generation)
    rows = st.session_state["class_rows"]
    names: dict[str, str] = {}
    for number in range(rows):
        with st.container(border=True, key=f"class-row-{number}"):
            key = f"class-name-{number}-{generation}"
            left, right = st.columns([1, 2])
            with left:
                name = st.text_input(f"Class {number + 1}", key=key, placeholder=_EXAMPLES[number % 2], max_chars=64)
            name = name.strip()
            what = name or f"class {number + 1}"
            with right:
                file_field(workspace, NEW, str(number), what)
            # Read after the field was drawn: what had arrived by then has no bar, so nobody would draw it later.
            collection = form_collection(workspace, NEW)
            collection = pile_pictures(workspace, NEW, str(number), what, collection)
            names[str(number)] = name
    if any(names.values()):
        st.session_state[_NAMES] = True  # this session has names of its own
    if st.session_state.get(_NAMES):
        keep_in_tab(_NAMES, list(names.values()))
    st.button("Add a class", icon=":material/add:", on_click=_add_row, disabled=rows >= MAX_CLASSES)
    show_left_out(workspace, collection)
    title = name_field("made of the class names", key="uploads")
    split = split_controls("uploads")
    named = named_pictures(collection, names) if collection else []
    ready = len({label for _, label in named}) >= 2
    if not ready:
        st.caption(
            "Name at least two classes and give each some pictures: as files, or hold the button to record. 10 per "
            f"class is the minimum, 50 is good. At most {size(upload_limit())} at once."
        )
    pressed = st.button("Import", key="import-uploads", type=kind, disabled=not ready or arriving(collection))
    if pressed and collection:
        title = title or ", ".join(dict.fromkeys(label for _, label in named))[:80]
        st.session_state[_MADE] = (collection.id, list(names.values()))
        _make(workspace, collection, named, title, split)


def _restore_names(generation: int) -> None:
    """After a reload, which empties the fields: as they were."""
    st.session_state.setdefault("class_rows", 2)
    kept: list[str] = kept_in_tab(_NAMES) or []
    if kept and not st.session_state.get(_NAMES):
        st.session_state["class_rows"] = max(2, len(kept))
        st.session_state.update({f"class-name-{number}-{generation}": name for number, name in enumerate(kept)})
        st.session_state[_NAMES] = True


def _make(
    workspace: Workspace,
    collection: PictureCollection,
    named: list[tuple[ImageRecord, str]],
    title: str,
    split: SplitConfig,
) -> None:
    keep_in_tab(_NAMES, [])
    let_go(NEW)
    begin_import(
        workspace,
        title,
        lambda task: make_dataset(workspace, collection, named, title, "uploaded images", split, task),
        form=NEW,
        collection=collection.id,
    )


@error_boundary()
def _adding_form(workspace: Workspace, dataset: Dataset) -> None:
    generation, form = fields_generation(), f"add-{dataset.id}"
    left, right = st.columns([1, 2])
    label = left.selectbox(
        "Class of the images",
        dataset.classes,
        index=None,
        accept_new_options=True,
        placeholder="Choose one, or type a new one",
        key=f"add-class-{dataset.id}-{generation}",
    )
    split = left.selectbox(
        "Part of the images",
        [None, *SPLITS],
        format_func=lambda name: SPLIT_TITLES[name] if name else "Training; of a new class some are kept aside",
        key=f"add-split-{dataset.id}-{generation}",
    )
    with left:
        offer_match(label, dataset.classes, f"add-class-{dataset.id}-{generation}")
    with right:
        file_field(workspace, form, "", label or "the class", archives=True)
    collection = pile_pictures(workspace, form, "", label or "the class", form_collection(workspace, form))
    show_left_out(workspace, collection)
    ready = bool(label and collection and collection.pictures)
    pressed = st.button(
        "Add them", key=f"add-{dataset.id}", type="primary", disabled=not ready or arriving(collection)
    )
    if pressed and label and collection:
        made: PictureCollection = collection
        let_go(form)

        def work(task: TaskContext) -> Dataset:
            task.report(0, len(made.pictures))
            return add_collected(workspace, dataset.id, made, label, split=split)[0]

        title = f"{count(len(made.pictures), 'image')} of {label}{_without(made)}"
        begin_import(workspace, title, work, form=form, collection=made.id)


def _without(collection: PictureCollection) -> str:
    """What the person chose and does not come, after the words for what does."""
    if not collection.skipped:
        return ""
    others = len(collection.skipped) - 1
    more = f" and {count(others, 'more file')}" if others else ""
    return f" (without {collection.skipped[0].name}{more}, which could not be used)"


def _add_row() -> None:
    st.session_state["class_rows"] += 1
