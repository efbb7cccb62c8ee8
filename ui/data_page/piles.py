"""Piles of pictures that wait to become a dataset: fields for files, what came, and where it lies.

They wait on the disk of the server (`tl_core.data.collecting`), in one collection per form and tab, so that a reload
loses none of them.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data.collecting import COLLECTIONS, PictureCollection, bring, forget_skipped, new_collection
from tl_core.data.imports.archive import archive_source
from tl_core.data.imports.file_kinds import is_archive_name, is_picture_name
from tl_core.data.imports.importing import uploaded_file
from tl_core.errors import DatasetNotFoundError
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pictures import FILE_TYPES, image_uploader
from ui.components.task_progress import task_progress
from ui.data_page.class_pictures import class_pictures, something_came
from ui.data_page.imports import come_back
from ui.shell.access.endpoints import archive_limits, release_uploads
from ui.shell.errors import error_boundary
from ui.state.background_tasks import BackgroundTasks
from ui.state.tab_memory import keep_in_tab, kept_in_tab

ARRIVALS: Final = BackgroundTasks[str](  # the result is the id of the collection
    "upload",
    at_a_time=2,
    remembered=100,
    unexpected="The pictures could not be taken because of an unexpected error. The log has the details.",
    unit="picture",
)
_WITH_ARCHIVES: Final = (*FILE_TYPES, "zip")
NEW: Final = "new"  # the form of a new dataset, class by class
UNLABELLED: Final = "unlabelled"  # the form of pictures to label ...
EVERYTHING: Final = "all classes"  # ... and what its one pile is, for people
FIELDS: Final = {NEW: "class-files", UNLABELLED: "unlabelled-files"}  # form -> how the keys of its fields begin


def file_field(workspace: Workspace, form: str, pile: str, what: str, *, archives: bool = False) -> None:
    """Draw the field for files of one class; what comes is taken out of it at once.

    Args:
        form: names the form; each has a collection of its own.
        pile: of the collection.
        what: the class, for people.
        archives: whether zips may come, too; their folders mean nothing.
    """
    fields = f"fields-{form}-{pile}"
    number = st.session_state.get(fields, 0)
    name = f"{FIELDS.get(form, 'added-files')}{f'-{pile}' if pile else ''}-{number}"
    subject, coming = f"{form}-{pile}", _coming(form, pile)

    @error_boundary()
    def arrived() -> None:
        # A field that is being replaced may once more tell of the files that it had, which are released by then.
        if files := [file for file in st.session_state[name] if isinstance(file, UploadedFile)]:
            st.session_state[fields] = number + 1
            take_files(workspace, form, pile, what, files)

    with st.container(key=f"files-{subject}"):
        if archives:
            st.file_uploader(
                f"Images of {what}, or a zip of them",
                type=_WITH_ARCHIVES,
                accept_multiple_files=True,
                max_upload_size=archive_limits().file_bytes // 1_000_000,
                key=name,
                on_change=arrived,
            )
        else:
            image_uploader(f"Images of {what}", name, on_change=arrived)
    with st.container(key=f"arriving-{subject}"):
        # The browser may hand over in several parcels what was chosen at once. Each is watched to its end: the last
        # may end first, and nobody else draws the page again when the others have.
        for task_id in list(st.session_state.get(coming, ())):
            task = ARRIVALS.find(task_id)
            if task is None or task_progress(ARRIVALS, task, task.id):
                st.session_state[coming].remove(task_id)


def pile_pictures(
    workspace: Workspace, form: str, pile: str, what: str, collection: PictureCollection | None
) -> PictureCollection | None:
    """Draw the pictures of one class; gives the collection as it is then."""
    key = f"pictures-{form}-{pile}"
    if collection is None and something_came(key):
        collection = _own_collection(workspace, form)
    return class_pictures(workspace, collection, pile, key, what)


def take_files(workspace: Workspace, form: str, pile: str, what: str, files: list[UploadedFile]) -> None:
    """Bring files in the background, whose arrival the field of their class shows."""
    st.session_state.setdefault(_coming(form, pile), []).append(_bring_files(workspace, form, pile, what, files))


def _coming(form: str, pile: str) -> str:
    return f"fields-{form}-{pile}-tasks"


def _bring_files(workspace: Workspace, form: str, pile: str, what: str, files: list[UploadedFile]) -> str:
    """Bring files in the background; returns the id of the task."""
    collection = _own_collection(workspace, form)
    limits = archive_limits()
    release_uploads(files)

    def work(task: TaskContext) -> str:
        archives = [file for file in files if is_archive_name(file.name)]
        others = [uploaded_file((PurePosixPath(file.name).name,), file) for file in files if file not in archives]
        parts = len(archives) + bool(others)
        for place, file in enumerate(archives):
            with archive_source(file, workspace.datasets, limits) as source:
                inside = [found for found in source.files if is_picture_name(found.parts[-1])]
                bring(workspace, collection.id, pile, inside, task.part(place / parts, (place + 1) / parts))
        return bring(workspace, collection.id, pile, others, task.part(len(archives) / parts, 1.0)).id

    return ARRIVALS.start(f"{count(len(files), 'file')} of {what}", work, collection.id)


def arriving(collection: PictureCollection | None) -> bool:
    """Whether files are on their way into it."""
    return collection is not None and bool(ARRIVALS.running(collection.id))


def show_left_out(workspace: Workspace, collection: PictureCollection | None) -> None:
    """Say which files were no pictures."""
    with st.container():  # always there, so that a name that is being typed below is not lost when this comes
        if collection is not None and collection.skipped:
            _left_out(workspace, collection)


def _left_out(workspace: Workspace, collection: PictureCollection) -> None:
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


def form_collection(workspace: Workspace, form: str) -> PictureCollection | None:
    """What the form of this tab has collected."""
    known = st.session_state.get(f"collection-{form}") or kept_in_tab(f"collection-{form}")
    if not known:
        if not (known := come_back(form)):
            return None
        _hold(form, known)
    try:
        return COLLECTIONS.find_mine(workspace, known)
    except DatasetNotFoundError:  # another tab with the same memory has made a dataset of it
        let_go(form)
        return None


def _own_collection(workspace: Workspace, form: str) -> PictureCollection:
    found = form_collection(workspace, form) or new_collection(workspace)
    _hold(form, found.id)
    return found


def _hold(form: str, collection_id: str) -> None:
    st.session_state[f"collection-{form}"] = collection_id
    keep_in_tab(f"collection-{form}", collection_id)


def let_go(form: str) -> None:
    """Begin the form anew; the collection belongs to somebody else from now on."""
    st.session_state.pop(f"collection-{form}", None)
    keep_in_tab(f"collection-{form}", "")
