"""Pictures brought class by class: as files, with the camera, from a video; seen at once, and removed one by one.

They wait on the disk of the server (`tl_core.data.collecting`), in one collection per form and tab, so that a reload
loses none of them.
"""

from __future__ import annotations

from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data import SPLITS, Dataset, ImageRecord, SplitConfig
from tl_core.data.collecting import (
    COLLECTIONS,
    PictureCollection,
    bring,
    forget_skipped,
    make_dataset,
    named_pictures,
    new_collection,
)
from tl_core.data.editing import add_collected
from tl_core.data.imports.importing import uploaded_file
from tl_core.errors import DatasetNotFoundError
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count, size
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pictures import image_uploader
from ui.components.task_progress import task_progress
from ui.data_page.class_pictures import class_pictures, something_came
from ui.data_page.edits import offer_match
from ui.data_page.new_dataset import ButtonType, begin_import, fields_generation, name_field, split_controls
from ui.shell.access.endpoints import release_uploads, upload_limit
from ui.shell.errors import error_boundary
from ui.state.background_tasks import BackgroundTasks
from ui.state.tab_memory import keep_in_tab, kept_in_tab

MAX_CLASSES: Final = 30  # one row each; for more use a folder or a zip
ARRIVALS: Final = BackgroundTasks[str](  # the result is the id of the collection
    "upload",
    at_a_time=2,
    remembered=100,
    unexpected="The pictures could not be taken because of an unexpected error. The log has the details.",
    unit="picture",
)
_NEW: Final = "new"  # the form of a new dataset
_NAMES: Final = "class-names"  # in the memory of the tab: of the rows, so that a reload keeps them


def class_by_class(workspace: Workspace, kind: ButtonType) -> None:
    """Draw one row per class, and the button that makes a dataset of them; ``kind`` is the type of that button."""
    st.fragment(_new_form)(workspace, kind)


def add_to_dataset(workspace: Workspace, dataset: Dataset) -> None:
    """Draw the fields that add pictures to one class, old or new, of a dataset that is there."""
    st.fragment(_adding_form)(workspace, dataset)


@error_boundary()
def _new_form(workspace: Workspace, kind: ButtonType) -> None:
    generation = fields_generation()
    _restore_names(generation)
    rows = st.session_state["class_rows"]
    names: dict[str, str] = {}
    collection = _collection(workspace, _NEW)
    for number in range(rows):
        with st.container(border=True, key=f"class-row-{number}"):
            key = f"class-name-{number}-{generation}"
            left, right = st.columns([1, 2])
            with left:
                name = st.text_input(f"Class {number + 1}", key=key, placeholder="for example cat", max_chars=64)
            name = name.strip()
            what = name or f"class {number + 1}"
            with right:
                _file_field(workspace, _NEW, str(number), what)
            collection = _pictures(workspace, _NEW, str(number), what, collection)
            names[str(number)] = name
    if any(names.values()):
        st.session_state[_NAMES] = True  # this session has names of its own
    if st.session_state.get(_NAMES):
        keep_in_tab(_NAMES, list(names.values()))
    st.button("Add a class", icon=":material/add:", on_click=_add_row, disabled=rows >= MAX_CLASSES)
    _left_out(workspace, collection)
    title = name_field("made of the class names", key="uploads")
    split = split_controls("uploads")
    named = named_pictures(collection, names) if collection else []
    ready = len({label for _, label in named}) >= 2
    if not ready:
        st.caption(
            "Name at least two classes and give each some pictures: as files, or hold the button to record. 10 per "
            f"class is the minimum, 50 is good. At most {size(upload_limit())} at once."
        )
    pressed = st.button("Import", key="import-uploads", type=kind, disabled=not ready or _arriving(collection))
    if pressed and collection:
        title = title or ", ".join(dict.fromkeys(label for _, label in named))[:80]
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
    _let_go(_NEW)
    begin_import(
        workspace,
        title,
        lambda task: make_dataset(workspace, collection, named, title, "uploaded images", split, task),
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
        _file_field(workspace, form, "", label or "the class")
    collection = _pictures(workspace, form, "", label or "the class", _collection(workspace, form))
    _left_out(workspace, collection)
    ready = bool(label and collection and collection.pictures)
    pressed = st.button(
        "Add them", key=f"add-{dataset.id}", type="primary", disabled=not ready or _arriving(collection)
    )
    if pressed and label and collection:
        made: PictureCollection = collection
        _let_go(form)

        def work(task: TaskContext) -> Dataset:
            task.report(0, len(made.pictures))
            return add_collected(workspace, dataset.id, made, label, split=split)[0]

        begin_import(workspace, f"{count(len(made.pictures), 'image')} of {label}", work)


def _file_field(workspace: Workspace, form: str, pile: str, what: str) -> None:
    """Draw the field for files of one class; what comes is taken out of it at once."""
    fields = f"fields-{form}-{pile}"
    number = st.session_state.get(fields, 0)
    name = f"class-files-{pile}-{number}" if form == _NEW else f"added-files-{number}"
    subject = f"{form}-{pile}"

    @error_boundary()
    def arrived() -> None:
        # A field that is being replaced may once more tell of the files that it had, which are released by then.
        if files := [file for file in st.session_state[name] if isinstance(file, UploadedFile)]:
            st.session_state[fields] = number + 1
            st.session_state[f"{fields}-task"] = _take_files(workspace, form, pile, what, files)

    with st.container(key=f"files-{subject}"):
        image_uploader(f"Images of {what}", name, on_change=arrived)
    with st.container(key=f"arriving-{subject}"):
        task = ARRIVALS.find(st.session_state.get(f"{fields}-task"))
        if task is not None and task_progress(ARRIVALS, task, task.id):
            del st.session_state[f"{fields}-task"]


def _pictures(
    workspace: Workspace, form: str, pile: str, what: str, collection: PictureCollection | None
) -> PictureCollection | None:
    """Draw the pictures of one class; gives the collection as it is then."""
    key = f"pictures-{form}-{pile}"
    if collection is None and something_came(key):
        collection = _own_collection(workspace, form)
    return class_pictures(workspace, collection, pile, key, what)


def _take_files(workspace: Workspace, form: str, pile: str, what: str, files: list[UploadedFile]) -> str:
    """Bring files in the background; returns the id of the task."""
    collection = _own_collection(workspace, form)
    sources = [uploaded_file((file.name,), file) for file in files]
    release_uploads(files)

    def work(task: TaskContext) -> str:
        return bring(workspace, collection.id, pile, sources, task).id

    return ARRIVALS.start(f"{count(len(files), 'file')} of {what}", work, collection.id)


def _arriving(collection: PictureCollection | None) -> bool:
    return collection is not None and bool(ARRIVALS.running(collection.id))


def _left_out(workspace: Workspace, collection: PictureCollection | None) -> None:
    if collection is None or not collection.skipped:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"left-out-{collection.id}"):
        first = collection.skipped[0]
        more = f" So were {len(collection.skipped) - 1:,} more." if len(collection.skipped) > 1 else ""
        st.markdown(f":orange[:material/warning:] {plain(first.name)} was left out: {plain(first.reason)}{more}")
        st.button(
            "Dismiss",
            key=f"dismiss-{collection.id}",
            type="tertiary",
            on_click=_dismiss,
            args=(workspace, collection.id),
        )


@error_boundary()
def _dismiss(workspace: Workspace, collection_id: str) -> None:
    forget_skipped(workspace, collection_id)


def _collection(workspace: Workspace, form: str) -> PictureCollection | None:
    """What the form of this tab has collected."""
    known = st.session_state.get(f"collection-{form}") or kept_in_tab(f"collection-{form}")
    if not known:
        return None
    try:
        return COLLECTIONS.find_mine(workspace, known)
    except DatasetNotFoundError:  # another tab with the same memory has made a dataset of it
        _let_go(form)
        return None


def _own_collection(workspace: Workspace, form: str) -> PictureCollection:
    found = _collection(workspace, form) or new_collection(workspace)
    st.session_state[f"collection-{form}"] = found.id
    keep_in_tab(f"collection-{form}", found.id)
    return found


def _let_go(form: str) -> None:
    st.session_state.pop(f"collection-{form}", None)
    keep_in_tab(f"collection-{form}", "")


def _add_row() -> None:
    st.session_state["class_rows"] += 1
