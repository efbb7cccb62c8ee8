"""What every way to a new dataset asks and does: its name, its split, and its beginning in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data import Dataset, SplitConfig
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.data_page.imports import IMPORTS, handed_over, remember_import, start_import
from ui.shell.access.endpoints import release_uploads, releasing_uploads
from ui.shell.navigation import WAY

ButtonType = Literal["primary", "secondary"]

OWN_FOLDER: Final = "folder-files"  # begins the key of the field for a folder of the person's machine
_GENERATION: Final = "uploads_generation"  # in the session: counts up to empty the fields after an import
_KEPT: Final = "kept-uploads"  # in the session: what the last import was given


@dataclass(slots=True)
class _Kept:
    """Uploads that an import reads, for another try should it fail."""

    way: str  # on which they came
    files: list[UploadedFile]  # none any more once they are imported
    task_id: str = ""


def leave_asked_way() -> None:
    """Let the address no longer say which way is open: somebody has chosen another one, or is done with it."""
    st.query_params.pop(WAY, None)


def fields_generation() -> int:
    """Part of the keys of all fields that an import empties."""
    return int(st.session_state.get(_GENERATION, 0))


def empty_fields() -> None:
    """Draw the fields for files anew, without what is in them."""
    st.session_state[_GENERATION] = fields_generation() + 1


def begin_import(
    workspace: Workspace,
    title: str,
    work: Callable[[TaskContext], Dataset],
    *,
    expected: int = 0,
    form: str = "",
    collection: str = "",
    way: str = "",
    uploads: Sequence[UploadedFile] = (),
) -> None:
    """Begin an import that this tab shows the end of; the fields are drawn again, empty.

    Args:
        workspace: of the visitor.
        title: what is imported, for people.
        work: does it.
        expected: image files that the person was shown before; 0 where nothing was shown.
        form: whose pictures it takes; they come back to it where the import fails or is cancelled.
        collection: the id of these pictures.
        way: on which its uploads came.
        uploads: what ``work`` reads of them; where it does not succeed, `kept_uploads` gives them once more.
    """
    leave_asked_way()
    kept = _Kept(way, list(uploads))
    release = releasing_uploads(kept.files)

    def imported(task: TaskContext) -> Dataset:
        dataset = work(task)
        kept.files.clear()
        release()
        return dataset

    _forget(st.session_state.get(_KEPT), uploads)
    kept.task_id = start_import(workspace, title, imported)
    st.session_state[_KEPT] = kept
    remember_import(kept.task_id, expected)
    if form:
        st.session_state[handed_over(form)] = (kept.task_id, collection)
    file = st.session_state.get(f"zip-{fields_generation()}")
    files = st.session_state.get(f"{OWN_FOLDER}-{fields_generation()}") or ()
    used = {upload.file_id for upload in uploads}
    release_uploads([other for other in ([file] if file else []) + [*files] if other.file_id not in used])
    empty_fields()
    st.rerun()


def kept_uploads(way: str) -> list[UploadedFile]:
    """Draw and give the uploads of an import that has failed or was cancelled, so that nobody has to send them anew.

    Args:
        way: on which they came.
    """
    kept: _Kept | None = st.session_state.get(_KEPT)
    if kept is None or kept.way != way or not kept.files:
        return []
    task = IMPORTS.find(kept.task_id)
    if task is not None and not task.ended:
        return []
    what = kept.files[0].name if len(kept.files) == 1 else count(len(kept.files), "file")
    with st.container(horizontal=True, vertical_alignment="center", key=f"kept-{way}"):
        st.markdown(
            f":material/attach_file: **{plain(what)}** is still here: it can be tried again.",
            width="content",
        )
        st.button("Remove", key=f"kept-{way}-remove", icon=":material/close:", on_click=_forget, args=(kept,))
    return list(kept.files)


def _forget(kept: _Kept | None, but: Sequence[UploadedFile] = ()) -> None:
    """Take kept uploads out of memory; those that are about to be imported once more stay."""
    if kept is None:
        return
    needed = {file.file_id for file in but}
    release_uploads([file for file in kept.files if file.file_id not in needed])
    kept.files.clear()


def name_field(suggestion: str, *, key: str) -> str:
    """Draw the field for the name of the dataset; gives what is in it."""
    return st.text_input("Name of the dataset", key=f"name-{key}", placeholder=suggestion, max_chars=100).strip()


def split_controls(key: str) -> SplitConfig:
    """The controls of the split, folded away: it matters only where the images come without one."""
    with st.expander("How the images are split", icon=":material/call_split:"):
        st.markdown(
            "Most images are learned from (*training*). Some are only looked at after each epoch (*validation*), and "
            "some only once at the end (*test*), to see how good the model is on images it has never seen. A "
            "split that comes with the images is kept."
        )
        left, middle, right = st.columns(3)
        validation = left.number_input("Validation, % of each class", 1, 50, 15, key=f"validation-{key}")
        test = middle.number_input("Test, % of each class", 0, 50, 15, key=f"test-{key}")
        seed = right.number_input(
            "Seed", 0, 2**31 - 1, 42, key=f"seed-{key}", help="The same seed always gives the same split."
        )
    return SplitConfig(validation=validation / 100, test=test / 100, seed=seed)
