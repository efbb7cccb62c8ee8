"""What an import has understood of the files that were chosen, drawn before it is begun."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data import SPLITS
from tl_core.data.imports.archive import ArchiveLimits, archive_source, folder_with_zips
from tl_core.data.imports.importing import folders_of, uploaded_file
from tl_core.data.imports.layouts import understand_layout
from tl_core.data.imports.preview import Preview, preview
from tl_core.errors import NoClassFoldersError, TransferLearningError
from tl_core.figures.palette import SPLIT_TITLES
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain

SHOWN: Final = 8  # rows of the table before it scrolls
_ROW: Final = 35  # px


class Unsorted(str):
    """The sentence why nothing can be imported of images whose classes nothing tells."""


Understood = Preview | str
"""What would be imported, or one sentence why nothing can be."""


@st.cache_data(scope="session", max_entries=4, show_spinner="Looking into the archive …")
def understand_archive(
    file_id: str, _file: UploadedFile, _workspace: Workspace, _limits: ArchiveLimits
) -> Understood:
    """Of an uploaded archive; its id stands for its content."""
    del file_id
    try:
        with archive_source(_file, _workspace.ensure().datasets, _limits) as source:
            return preview(understand_layout(source.files, source.skipped))
    except NoClassFoldersError as error:
        return Unsorted(error)
    except TransferLearningError as error:
        return str(error)


@st.cache_data(scope="session", max_entries=4, show_spinner=False)
def understand_sent_folder(file_ids: tuple[str, ...], _files: Sequence[UploadedFile]) -> Understood:
    """Of a folder that a browser has sent; the ids stand for its files, of which only tables are read."""
    del file_ids
    files = [uploaded_file(parts, file) for file in _files if (parts := folders_of(file.name))]
    try:
        return preview(understand_layout(files))
    except NoClassFoldersError as error:
        return Unsorted(error)
    except TransferLearningError as error:
        return str(error)


def understand_folder(folder: Path) -> Understood:
    """Of a folder of the server."""
    try:
        with folder_with_zips(folder) as source:
            return preview(understand_layout(source.files, source.skipped))
    except TransferLearningError as error:
        return str(error)


def show_understood(found: Understood) -> bool:
    """Draw it; returns whether there is something to import."""
    if isinstance(found, str):
        st.error(plain(found), icon=":material/error:")
        return False
    division = "the split came with them" if found.given_splits else "to be split at random"
    with st.container(border=True):
        classes = count(len(found.classes), "class", "classes")
        st.markdown(f"**{count(found.images, 'image file')} of {classes}**, {division}")
        st.caption("Judged by their names. Each file is opened during the import, and left out if it cannot be read.")
        if found.obstacle:
            st.markdown(f":red[:material/error:] {plain(found.obstacle)}")
        for remark in found.remarks:
            st.markdown(f":orange[:material/help:] {plain(remark)}")
        for entry in found.left_out:
            st.markdown(f":blue[:material/info:] Left out: {plain(entry.text)}")
        rows = _rows(found)
        st.dataframe(
            rows,
            hide_index=True,
            height=_ROW * (min(len(rows), SHOWN) + 1) + 3,
            alt="The classes that would be imported, and how many images of each.",
        )
    return found.obstacle is None


def _rows(found: Preview) -> Sequence[dict[str, Any]]:
    splits = [split for split in SPLITS if any(of.get(split) for of in found.classes.values())]
    return [
        {"Class": name, "Images": sum(of.values()), **{SPLIT_TITLES[split]: of.get(split, 0) for split in splits}}
        for name, of in found.classes.items()
    ]


def image_files(found: Understood) -> int:
    """How many would be imported, by their names; 0 where nothing can be."""
    return 0 if isinstance(found, str) else found.images


def import_label(found: Understood) -> str:
    """The words on the button: whether there was something to look at first."""
    return "Import" if isinstance(found, str) or found.is_clear else "Import as shown"
