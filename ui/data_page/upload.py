"""The ways to add images: a sample set, a zip, a folder, uploads class by class, a folder of the server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Literal

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data import (
    SAMPLES,
    SPLITS,
    Dataset,
    Sample,
    SplitConfig,
    import_folder,
    import_sample,
    import_uploaded_folder,
    import_uploads,
    import_zip,
)
from tl_core.data.editing import add_images
from tl_core.data.imports.importing import folders_of
from tl_core.data.imports.sources import data_root, list_folders, resolve_folder
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.errors import ImageError
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.machine.progress import TaskContext
from tl_core.storage.format import count, size
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pictures import image_uploader
from ui.components.thumbnail import thumbnail
from ui.data_page.edits import offer_match
from ui.data_page.imports import remember_import, start_import
from ui.shell.access.endpoints import archive_limits, release_uploads, upload_limit

STRIP: Final = 6  # pictures of an upload that are shown
STRIP_SIDE: Final = 56  # px
PICTURES: Final = Path(__file__).parent / "assets"  # one of each sample set that is built in
MAX_CLASSES: Final = 30  # one row each; for more use a folder or a zip
_UPLOADS: Final = "uploads_generation"  # in the session: counts up to empty the upload fields after an import

_ADDED: Final = "added-files"  # key of the field of `add_to_dataset`
_OWN_FOLDER: Final = "folder-files"  # key of the field of `_own_folder`

ButtonType = Literal["primary", "secondary"]


def upload_images(workspace: Workspace, *, primary: bool) -> None:
    """Draw the ways to add images, one per tab; ``primary`` where this is the main thing to do on the page."""
    kind: ButtonType = "primary" if primary else "secondary"
    root = data_root()
    titles = ["Sample set", "Zip file", "Folder", "Class by class", *(["Folder of the server"] if root else [])]
    sample_sets, zip_file, own_folder, uploads, *folder = st.tabs(titles, key="new-dataset-ways", on_change="rerun")
    with sample_sets, st.grid(2, min_column_width=280):
        for place, sample in enumerate(SAMPLES.values()):
            with st.container(border=True, height="stretch"):
                _sample(workspace, sample, kind if place == 0 else "secondary")
    with zip_file:
        _zip(workspace, kind)
    with own_folder:
        _own_folder(workspace, kind)
    with uploads:
        _class_by_class(workspace, kind)
    if root:
        with folder[0]:
            _folder(workspace, root, kind)


def add_to_dataset(workspace: Workspace, dataset: Dataset) -> None:
    """Draw the field that adds images to one class, old or new, of a dataset that is there."""
    generation = st.session_state.get(_UPLOADS, 0)
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
        files = image_uploader(f"Images of {label or 'the class'}", f"{_ADDED}-{generation}")
        _strip(files)
    if st.button("Add them", key=f"add-{dataset.id}", type="primary", disabled=not (label and files)) and label:
        images: list[tuple[str, bytes | BinaryIO]] = [(file.name, file) for file in files]

        def work(task: TaskContext) -> Dataset:
            return add_images(workspace, dataset.id, {label: images}, split=split, task=task)[0]

        _begin(workspace, f"{count(len(files), 'image')} of {label}", work)


def _begin(workspace: Workspace, title: str, work: Callable[[TaskContext], Dataset]) -> None:
    remember_import(start_import(workspace, title, work))
    release_uploads(_uploaded())  # the import has what it needs; the fields are drawn again, empty
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1
    st.rerun()


def _uploaded() -> Iterator[UploadedFile]:
    """All files in the fields of this page."""
    generation = st.session_state.get(_UPLOADS, 0)
    if file := st.session_state.get(f"zip-{generation}"):
        yield file
    for field in (_ADDED, _OWN_FOLDER):
        yield from st.session_state.get(f"{field}-{generation}") or ()
    for number in range(st.session_state.get("class_rows", 0)):
        yield from st.session_state.get(f"class-files-{number}-{generation}") or ()


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
        _begin(workspace, sample.title, lambda task: import_sample(workspace, name, task))


def _zip(workspace: Workspace, kind: ButtonType) -> None:
    limits = archive_limits()
    file = st.file_uploader(
        "A zip file with one folder per class",
        type="zip",
        max_upload_size=limits.file_bytes // 1_000_000,
        key=f"zip-{st.session_state.get(_UPLOADS, 0)}",
    )
    st.caption(
        "For example cats/…jpg and dogs/…jpg. Where the classes lie in folders train, validation and test, that "
        f"division is kept. At most {size(limits.file_bytes)}, and {size(limits.unpacked_bytes)} in "
        f"{limits.members:,} files unpacked; all files of this tab together {size(upload_limit())}."
    )
    name = _name(Path(file.name).stem if file else "same as the zip", key="zip")
    split = _split("zip")
    if st.button("Import", key="import-zip", type=kind, disabled=file is None) and file:
        title = name or Path(file.name).stem
        _begin(workspace, file.name, lambda task: import_zip(workspace, file, title, split, task, limits))


def _own_folder(workspace: Workspace, kind: ButtonType) -> None:
    files = st.file_uploader(
        "A folder with one folder per class in it",
        accept_multiple_files="directory",
        max_upload_size=MAX_IMAGE_BYTES // 1_000_000,
        key=f"{_OWN_FOLDER}-{st.session_state.get(_UPLOADS, 0)}",
    )
    st.caption(
        "For example pets/cats/…jpg and pets/dogs/…jpg. It is copied; your folder stays as it is. "
        f"At most {upload_limit() / 1e6:,.0f} MB; a zip of many files arrives faster."
    )
    top = next(iter(folders_of(files[0].name)), "") if files else ""
    name = _name(top or "same as the folder", key="own-folder")
    split = _split("own-folder")
    if st.button("Import", key="import-own-folder", type=kind, disabled=not files) and files:
        title = name or top
        images: list[tuple[str, bytes | BinaryIO]] = [(file.name, file) for file in files]
        _begin(workspace, title, lambda task: import_uploaded_folder(workspace, images, title, split, task))


def _class_by_class(workspace: Workspace, kind: ButtonType) -> None:
    st.session_state.setdefault("class_rows", 2)
    rows = [_class_row(number) for number in range(st.session_state["class_rows"])]
    st.button("Add a class", icon=":material/add:", on_click=_add_row, disabled=len(rows) >= MAX_CLASSES)
    name = _name("made of the class names", key="uploads")
    split = _split("uploads")
    images: dict[str, list[tuple[str, bytes | BinaryIO]]] = {}
    for class_name, files in rows:
        if class_name:
            images.setdefault(class_name, []).extend((file.name, file) for file in files)
    ready = sum(bool(files) for files in images.values()) >= 2
    if not ready:
        st.caption(
            "Name at least two classes and add images to each. 10 per class is the minimum, 50 is good. "
            f"At most {size(upload_limit())} together."
        )
    if st.button("Import", key="import-uploads", type=kind, disabled=not ready):
        title = name or ", ".join(images)[:80]
        _begin(workspace, title, lambda task: import_uploads(workspace, images, title, split, task))


def _class_row(number: int) -> tuple[str, list[UploadedFile]]:
    generation = st.session_state.get(_UPLOADS, 0)
    left, right = st.columns([1, 2])
    name = left.text_input(
        f"Class {number + 1}", key=f"class-name-{number}-{generation}", placeholder="for example cat", max_chars=64
    )
    with right:
        files = image_uploader(
            f"Images of {name.strip() or f'class {number + 1}'}", f"class-files-{number}-{generation}"
        )
        _strip(files)
    return name.strip(), files


def _strip(files: Sequence[UploadedFile]) -> None:
    """The first pictures of an upload, so that one sees at once what has come."""
    if not files:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        for file in files[:STRIP]:
            with contextlib.suppress(ImageError):  # the import says why
                st.image(thumbnail(file.file_id, file.getvalue()), width=STRIP_SIDE, alt=file.name)
        st.caption(count(len(files), "image"), width="content")


def _add_row() -> None:
    st.session_state["class_rows"] += 1


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
    name = _name(Path(listing.relative).name or root.name, key="folder")
    split = _split("folder")
    if st.button("Import this folder", key="import-folder", type=kind, disabled=not listing.folders):
        folder = resolve_folder(root, listing.relative)
        title = name or folder.name
        _begin(workspace, folder.name, lambda task: import_folder(workspace, folder, title, split, task))


def _open_folder(relative: str) -> None:
    st.session_state["server_folder"] = relative


def _name(suggestion: str, *, key: str) -> str:
    return st.text_input("Name of the dataset", key=f"name-{key}", placeholder=suggestion, max_chars=100).strip()


def _split(key: str) -> SplitConfig:
    """The controls of the split, folded away: it matters only where the images come without one."""
    with st.expander("How the images are divided"):
        st.markdown(
            "Most images are learned from (*training*). Some are only looked at after each epoch (*validation*), and "
            "some only once at the end (*test*), to see how good the model is on images it has never seen. A "
            "division that comes with the images is kept."
        )
        left, middle, right = st.columns(3)
        validation = left.number_input("Validation, % of each class", 1, 50, 15, key=f"validation-{key}")
        test = middle.number_input("Test, % of each class", 0, 50, 15, key=f"test-{key}")
        seed = right.number_input(
            "Seed", 0, 2**31 - 1, 42, key=f"seed-{key}", help="The same seed divides the same images in the same way."
        )
    return SplitConfig(validation=validation / 100, test=test / 100, seed=seed)
