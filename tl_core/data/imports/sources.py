"""Files that an import may read, wherever they come from: a folder, an archive, an upload, a sample."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tl_core.data.dataset import SkippedFile
from tl_core.data.imports.class_names import clean_file_name
from tl_core.data.imports.file_kinds import is_junk
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.errors import DataError


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source; nothing of it is in memory until ``read`` is called."""

    parts: tuple[str, ...]  # its path within the source: folders and name, as they came
    size: int  # bytes
    read: Callable[[], bytes]  # may be called from any thread; gives at most one byte more than an image may have

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
    for path in _walk(folder):
        parts = path.relative_to(folder).parts
        if is_junk(parts):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            skipped.append(
                SkippedFile(clean_file_name("/".join(parts)), "It is a link to a place outside the folder.")
            )
        elif path.is_file():
            files.append(SourceFile(parts, path.stat().st_size, _reader(path)))
    return Source(tuple(sorted(files, key=lambda file: file.parts)), tuple(skipped))


def read_limited(file: BinaryIO) -> bytes:
    """Read a file to its end, or to one byte more than an image may have."""
    return file.read(MAX_IMAGE_BYTES + 1)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(f"A folder cannot be read ({error.strerror}): check its permissions.") from error

    for directory, _, names in os.walk(folder, onerror=refuse, followlinks=False):
        for name in names:
            yield Path(directory) / name


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        with path.open("rb") as file:
            return read_limited(file)

    return read
