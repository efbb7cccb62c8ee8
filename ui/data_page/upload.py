"""The ways to add images: a sample set, a zip, a folder, uploads class by class, a folder of the server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data import SAMPLES, Sample, import_folder, import_sample, import_uploaded_folder, import_zip
from tl_core.data.imports.importing import folders_of
from tl_core.data.imports.preview import Preview
from tl_core.data.imports.sources import archive_title, data_root, list_folders, resolve_folder
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.storage.format import count, size
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pictures import FILE_TYPES
from ui.data_page.class_by_class import class_by_class
from ui.data_page.new_dataset import (
    OWN_FOLDER,
    ButtonType,
    begin_import,
    empty_fields,
    fields_generation,
    kept_uploads,
    leave_asked_way,
    name_field,
    split_controls,
)
from ui.data_page.piles import EVERYTHING, UNLABELLED, take_files
from ui.data_page.pointing.page import begin_by_pointing
from ui.data_page.understood import (
    Unsorted,
    image_files,
    import_label,
    show_understood,
    understand_archive,
    understand_folder,
    understand_sent_folder,
)
from ui.shell.access.endpoints import archive_limits, upload_limit
from ui.shell.errors import error_boundary
from ui.shell.navigation import WAY

PICTURES: Final = Path(__file__).parent / "assets"  # one of each sample set that is built in

_IN_A_FOLDER: Final = [*FILE_TYPES, "csv", "tsv"]  # pictures, and tables that tell their classes; others stay there
_TABS: Final = "new-dataset-ways"  # key of the tabs, and in the session the title of the open one
_TITLES: Final = {  # by their names in the address
    "sample": "Sample set",
    "zip": "Zip file",
    "folder": "Folder",
    "classes": "Class by class",
    "pointing": "Label by pointing",
    "server": "Folder of the server",
}
_LOOKED_INTO: Final = "folder_looked_into"  # in the session: a folder of the server, as a relative path


def upload_images(workspace: Workspace, *, primary: bool) -> None:
    """Draw the ways to add images, one per tab; ``primary`` where this is the main thing to do on the page."""
    kind: ButtonType = "primary" if primary else "secondary"
    root = data_root()
    titles = [title for way, title in _TITLES.items() if way != "server" or root]
    asked = _TITLES.get(st.query_params.get(WAY, ""))
    if asked in titles:
        st.session_state[_TABS] = asked
    sample_sets, zip_file, own_folder, uploads, unlabelled, *folder = st.tabs(
        titles, key=_TABS, on_change=leave_asked_way
    )
    with sample_sets, st.grid(2, min_column_width=280):
        for place, sample in enumerate(SAMPLES.values()):
            with st.container(border=True, height="stretch"):
                _sample(workspace, sample, kind if place == 0 else "secondary")
    with zip_file:
        _zip(workspace, kind)
    with own_folder:
        _own_folder(workspace, kind)
    with uploads:
        class_by_class(workspace, kind)
    with unlabelled:
        begin_by_pointing(workspace, kind)
    if root:
        with folder[0]:
            _folder(workspace, root, kind)


def _sample(workspace: Workspace, sample: Sample, kind: ButtonType) -> None:
    size = f"downloads {sample.download_mb:,.0f} MB" if sample.download_mb else "no download"
    picture = PICTURES / f"{sample.name}.png"
    if picture.is_file():
        st.image(picture.read_bytes(), width="stretch", alt=f"Some images of {sample.title.lower()}")
    st.markdown(f"**{sample.title}**")
    st.markdown(sample.description)
    st.caption(
        f"{count(sample.images, 'image')}, {count(sample.classes, 'class', 'classes')}, {size}. {sample.license}."
    )
    st.space("stretch")
    if st.button(
        f"Use {sample.title.lower()}",
        key=f"sample-{sample.name}",
        icon=":material/download:" if sample.download_mb else ":material/add:",
        type=kind,
    ):
        name = sample.name
        begin_import(workspace, sample.title, lambda task: import_sample(workspace, name, task))


def _zip(workspace: Workspace, kind: ButtonType) -> None:
    limits = archive_limits()
    file = st.file_uploader(
        "A zip file with one folder per class",
        type=["zip", "tar", "gz", "tgz"],
        max_upload_size=limits.file_bytes // 1_000_000,
        key=f"zip-{fields_generation()}",
    )
    if file is None and (kept := kept_uploads("zip")):
        file = kept[0]
    st.caption(
        "For example cats/…jpg and dogs/…jpg. A tar.gz works too, and so does a zip with one zip per class in it. "
        "Where the classes are in folders train, validation and test, that split is kept. "
        f"At most {size(limits.file_bytes)}, and {size(limits.unpacked_bytes)} in "
        f"{limits.members:,} files unpacked; all files of this tab together at most {size(upload_limit())}."
    )
    found = understand_archive(file.file_id, file, workspace, limits) if file else ""
    ready = file is not None and show_understood(found)
    if file is not None and isinstance(found, Unsorted):
        _offer_pointing(workspace, [file], "zip")
    name = name_field(archive_title(file.name) if file else "same as the file", key="zip")
    split = split_controls("zip")
    if st.button(import_label(found), key="import-zip", type=kind, disabled=not ready) and file:
        title = name or archive_title(file.name)
        begin_import(
            workspace,
            file.name,
            lambda task: import_zip(workspace, file, title, split, task, limits),
            expected=image_files(found),
            way="zip",
            uploads=[file],
        )


def _own_folder(workspace: Workspace, kind: ButtonType) -> None:
    files = st.file_uploader(
        "A folder with one folder per class in it",
        type=_IN_A_FOLDER,
        accept_multiple_files="directory",
        max_upload_size=MAX_IMAGE_BYTES // 1_000_000,
        key=f"{OWN_FOLDER}-{fields_generation()}",
    )
    files = files or kept_uploads("folder")
    st.caption(
        "For example pets/cats/…jpg and pets/dogs/…jpg. It is copied; your folder stays as it is. "
        f"At most {upload_limit() / 1e6:,.0f} MB; a zip of many files arrives faster."
    )
    found = understand_sent_folder(tuple(file.file_id for file in files), files) if files else ""
    ready = bool(files) and show_understood(found)
    if isinstance(found, Unsorted):
        _offer_pointing(workspace, files, "folder")
    top = next(iter(folders_of(files[0].name)), "") if files else ""
    name = name_field(top or "same as the folder", key="own-folder")
    split = split_controls("own-folder")
    if st.button(import_label(found), key="import-own-folder", type=kind, disabled=not ready) and files:
        title = name or top
        images: list[tuple[str, bytes | BinaryIO]] = [(file.name, file) for file in files]
        begin_import(
            workspace,
            title,
            lambda task: import_uploaded_folder(workspace, images, title, split, task),
            expected=image_files(found),
            way="folder",
            uploads=files,
        )


def _offer_pointing(workspace: Workspace, files: Sequence[UploadedFile], key: str) -> None:
    """The way in for images whose classes nothing tells: there the same files are labelled."""
    st.button(
        "Label these pictures by pointing",
        key=f"{key}-to-pointing",
        icon=":material/touch_app:",
        help="You name the classes and label some of the pictures; the others are concluded.",
        on_click=_go_to_pointing,
        args=(workspace, files),
    )


@error_boundary()
def _go_to_pointing(workspace: Workspace, files: Sequence[UploadedFile]) -> None:
    leave_asked_way()
    st.session_state[_TABS] = _TITLES["pointing"]
    take_files(workspace, UNLABELLED, "", EVERYTHING, list(files))
    empty_fields()


def _folder(workspace: Workspace, root: Path, kind: ButtonType) -> None:
    listing = list_folders(root, st.session_state.get("server_folder", ""))
    st.markdown(f"**{plain(listing.relative or root.name)}**")
    st.caption(f"{count(len(listing.folders), 'folder')}, {count(listing.pictures, 'picture')} directly in it.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Up",
            icon=":material/arrow_upward:",
            disabled=listing.parent is None,
            on_click=_open_folder,
            args=(listing.parent or "",),
        )
        chosen = st.selectbox("Folders in it", listing.folders, index=None, placeholder="Choose a folder to open")
        st.button(
            "Open",
            icon=":material/folder_open:",
            disabled=chosen is None,
            on_click=_open_folder,
            args=(listing.inside(chosen or ""),),
        )
    name = name_field(Path(listing.relative).name or root.name, key="folder")
    split = split_controls("folder")
    # Looked into only on request, because it may hold any number of others.
    looked_into = st.session_state.get(_LOOKED_INTO) == listing.relative
    if not looked_into and not st.button(
        "Import this folder", key="import-folder", type=kind, disabled=not listing.folders
    ):
        return
    folder = resolve_folder(root, listing.relative)
    title = name or folder.name
    with st.spinner("Looking into the folder …"):
        found = understand_folder(folder)
    if not looked_into and isinstance(found, Preview) and found.is_clear:
        begin_import(
            workspace,
            folder.name,
            lambda task: import_folder(workspace, folder, title, split, task),
            expected=image_files(found),
        )
    st.session_state[_LOOKED_INTO] = listing.relative
    if show_understood(found) and st.button(import_label(found), key="import-folder-as-shown", type=kind):
        del st.session_state[_LOOKED_INTO]
        begin_import(
            workspace,
            folder.name,
            lambda task: import_folder(workspace, folder, title, split, task),
            expected=image_files(found),
        )


def _open_folder(relative: str) -> None:
    st.session_state["server_folder"] = relative
