"""Browsing the folders of the server that its operator opened to importing, and nothing else.

The operator names one folder in ``TL_DATA_ROOT`` when the server starts. People choose below it by clicking;
a path from outside never becomes a path here, and links are not followed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from tl_core.data.imports.file_kinds import is_junk, is_picture_name
from tl_core.errors import DataError

VARIABLE: Final = "TL_DATA_ROOT"
MAX_LISTED: Final = 500  # folders shown at a time


@dataclass(frozen=True, slots=True)
class FolderListing:
    """What lies in one folder below the data root."""

    relative: str  # the folder, as "a/b"; "" is the root itself
    parent: str | None  # None at the root
    folders: tuple[str, ...]  # names of the folders within, sorted
    pictures: int  # pictures directly in it

    def inside(self, name: str) -> str:
        """The relative path of a folder within."""
        return f"{self.relative}/{name}" if self.relative else name


def data_root() -> Path | None:
    """The folder that the operator opened, or None."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser().resolve() if named else None


def list_folders(root: Path, relative: str = "") -> FolderListing:
    """The folders in ``relative`` below ``root``; hidden ones and links are left out.

    Raises:
        DataError: it is not there, leads outside, or cannot be read.
    """
    folder = resolve_folder(root, relative)
    try:
        entries = [entry for entry in os.scandir(folder) if not is_junk((entry.name,)) and not entry.is_symlink()]
    except OSError as error:
        raise DataError(f"The folder “{folder.name}” cannot be read ({error.strerror}).") from error
    names = sorted(entry.name for entry in entries if entry.is_dir())
    path = PurePosixPath(relative)
    return FolderListing(
        relative="" if relative == "" else path.as_posix(),
        parent=None if relative == "" else path.parent.as_posix().removeprefix("."),
        folders=tuple(names[:MAX_LISTED]),
        pictures=sum(entry.is_file() and is_picture_name(entry.name) for entry in entries),
    )


def resolve_folder(root: Path, relative: str) -> Path:
    """The folder that ``relative`` names below ``root``.

    Raises:
        DataError: it is not there, or leads outside, be it by ``..`` or by a link.
    """
    path = root.resolve()
    for part in PurePosixPath(relative).parts:
        path = path / part
        if part in ("..", "/") or "\0" in part or path.is_symlink() or not path.is_dir():
            raise DataError(
                "There is no such folder among those that the operator of this server opened: choose one of the list."
            )
    return path
