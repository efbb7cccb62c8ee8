"""Reading a tar archive from front to end, which is the only way a compressed one can be read."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tl_core.data.dataset import SkippedFile
from tl_core.data.imports.archive import ArchiveLimits, check_totals, member_parts, member_problem
from tl_core.data.imports.class_names import clean_file_name
from tl_core.data.imports.file_kinds import is_junk, is_picture_name
from tl_core.data.imports.sources import Source, SourceFile, read_limited
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.errors import ArchiveError
from tl_core.machine.progress import UNATTENDED, TaskContext


@contextlib.contextmanager
def tar_source(file: Path, scratch: Path, limits: ArchiveLimits, task: TaskContext = UNATTENDED) -> Iterator[Source]:
    """The pictures in a tar archive (plain or compressed), readable until the block ends.

    They are copied to numbered files in a folder below ``scratch`` that is removed afterwards.

    Raises:
        ArchiveError: it is no tar archive, is damaged, or is over a limit.
        StoppedError: the task was asked to stop.
    """
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=scratch) as folder:
        try:
            with tarfile.open(file, "r|*") as archive:
                source = _copied(archive, Path(folder), limits, task)
        except (tarfile.TarError, EOFError, zlib.error, UnicodeError, OSError) as error:
            raise ArchiveError("The downloaded archive is damaged and cannot be read: try again.") from error
        yield source


def _copied(archive: tarfile.TarFile, folder: Path, limits: ArchiveLimits, task: TaskContext) -> Source:
    files: list[SourceFile] = []
    skipped: list[SkippedFile] = []
    sizes: list[int] = []
    for member in archive:
        task.stop_if_asked("The import was stopped; nothing of it was kept.")
        if member.isdir():
            continue
        sizes.append(member.size)
        check_totals(sizes, limits)
        parts = member_parts(member.name)
        problem = member_problem(member.name) or (None if member.isreg() else "It is a link or a device, not a file.")
        if problem:
            skipped.append(SkippedFile(clean_file_name(member.name), problem))
        elif parts and not is_junk(parts) and is_picture_name(parts[-1]):
            path = folder / f"{len(files)}"
            _copy(archive, member, path)
            files.append(SourceFile(parts, member.size, _reader(path)))
    return Source(tuple(sorted(files, key=lambda found: found.parts)), tuple(skipped))


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = archive.extractfile(member)
    with path.open("wb") as output:
        if content is not None and member.size <= MAX_IMAGE_BYTES:
            shutil.copyfileobj(content, output)


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        with path.open("rb") as file:
            return read_limited(file)

    return read
