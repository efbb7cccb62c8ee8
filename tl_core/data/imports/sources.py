"""Files that an import may read, from a folder, an archive, an upload or a sample; and the folders of the server.

The operator may open one folder of the server to imports with ``TL_DATA_ROOT``. People choose below it by clicking;
a path from outside never becomes a path here, and links are not followed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from tl_core.data.dataset import SkippedFile
from tl_core.data.imports.class_names import clean_file_name
from tl_core.data.imports.file_kinds import is_junk, is_picture_name
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.errors import DataError

DATA_ROOT: Final = "TL_DATA_ROOT"
MAX_LISTED: Final = 500  # folders shown at a time


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source; nothing of it is in memory until ``read`` is called."""

    parts: tuple[str, ...]  # its path within the source: folders and name, as they came
    size: int  # bytes
    read: Callable[[], bytes]  # may be called from any thread; gives at most one byte more than an image may have
    group: str = ""  # see `ImageRecord.group`
    copy: Callable[[BinaryIO], None] | None = None  # writes all of it, however large; None where that is not needed

    @property
    def shown_name(self) -> str:
        """The path as a person may see it."""
        return clean_file_name("/".join(self.parts))


@dataclass(frozen=True, slots=True)
class Source:
    """The files that may be imported, and those that were left out at first sight."""

    files: tuple[SourceFile, ...]
    skipped: tuple[SkippedFile, ...] = ()


def folder_source(folder: Path) -> Source:
    """All files below ``folder``, sorted by path; junk is ignored, links that lead outside are skipped.

    Raises:
        DataError: the folder is missing or cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder “{folder.name}” that can be read: check the name and its permissions.")
    root = folder.resolve()
    files, skipped = [], []
    walked = list(os.walk(folder, onerror=_refuse))
    for path in [Path(directory) / name for directory, _, names in walked for name in names]:
        parts = path.relative_to(folder).parts
        if is_junk(parts):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            skipped.append(
                SkippedFile(clean_file_name("/".join(parts)), "It is a link to a place outside the folder.")
            )
        elif path.is_file():
            files.append(SourceFile(parts, path.stat().st_size, file_reader(path), copy=_copier(path)))
    folders = [Path(at).relative_to(folder).parts for at, _, _ in walked]
    named = [(*Path(at).relative_to(folder).parts, name) for at, _, names in walked for name in names]
    skipped += empty_folders(folders, named)
    return Source(tuple(sorted(files, key=lambda file: file.parts)), tuple(skipped))


def empty_folders(folders: Iterable[tuple[str, ...]], files: Iterable[tuple[str, ...]]) -> list[SkippedFile]:
    """What to say of folders in which there is no file: a class folder that was meant to be filled, for example.

    Args:
        folders: their paths, as parts.
        files: the paths of all files; those of the operating system do not count.

    Returns:
        The outermost ones, at most `MAX_LISTED`.
    """
    filled = {parts[:end] for parts in files if not is_junk(parts) for end in range(len(parts))}
    empty = {parts for parts in folders if parts and not is_junk(parts)} - filled
    outermost = sorted(parts for parts in empty if parts[:-1] not in empty)
    return [
        SkippedFile(f"{clean_file_name('/'.join(parts))}/", "The folder is empty.")
        for parts in outermost[:MAX_LISTED]
    ]


def _copier(path: Path) -> Callable[[BinaryIO], None]:
    def copy(target: BinaryIO) -> None:
        with path.open("rb") as file:
            shutil.copyfileobj(file, target)

    return copy


def read_limited(file: BinaryIO) -> bytes:
    """Read a file to its end, or to one byte more than an image may have."""
    return file.read(MAX_IMAGE_BYTES + 1)


def archive_title(name: str) -> str:
    """The name of an archive without what tells its kind: ``pets`` of ``pets.tar.gz``."""
    return (
        Path(Path(name).stem).stem if name.lower().endswith((".tar.gz", ".tar.bz2", ".tar.xz")) else Path(name).stem
    )


def _refuse(error: OSError) -> None:
    raise DataError(f"A folder cannot be read ({error.strerror}): check its permissions.") from error


def file_reader(path: Path) -> Callable[[], bytes]:
    """A `SourceFile.read` of a file on the disk."""

    def read() -> bytes:
        with path.open("rb") as file:
            return read_limited(file)

    return read


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
    named = os.environ.get(DATA_ROOT)
    return Path(named).expanduser().resolve() if named else None


def resolve_typed(root: Path | None, typed: str) -> Path:
    """The file or folder that a visitor from elsewhere has typed: below ``root``, by its whole path or within it.

    What lies outside gets the same answer whether or not it is there.

    Args:
        root: the folder that the operator opened, or None.
        typed: a path, which may be anything.

    Raises:
        DataError: no folder is open, or there is nothing of this name below it, be it by ``..`` or by a link.
    """
    if root is None:
        raise DataError(
            "Others reach this dashboard, and no folder of its server is open to them (TL_DATA_ROOT): paste an "
            "address, or bring a file."
        )
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # also too long, or a link that leads to itself
        path = (root / typed).resolve(strict=True)
        if path.is_relative_to(root.resolve()):
            return path
    raise DataError(
        "There is no such file or folder below the one that the operator of this server opened (TL_DATA_ROOT): name "
        "one as it lies there, paste an address, or bring a file."
    )


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
