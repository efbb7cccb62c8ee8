"""Reading untrusted zip and tar archives: member by member, to file names of our own, within fixed limits.

Nothing is ever unpacked to a path that an archive names. Whether an archive is accepted is decided from its
table of contents, before a byte of it is decompressed.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from tl_core.data.dataset import SkippedFile
from tl_core.data.imports.class_names import clean_file_name
from tl_core.data.imports.code_pages import read_names
from tl_core.data.imports.file_kinds import IMAGE_SUFFIXES, is_junk, is_picture_name, is_table_name
from tl_core.data.imports.sources import (
    Source,
    SourceFile,
    empty_folders,
    file_reader,
    folder_source,
    read_limited,
)
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.errors import ArchiveError, ImageError, TransferLearningError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.format import size as format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What an archive may hold."""

    file_bytes: int = 200_000_000  # the archive itself
    unpacked_bytes: int = 1_000_000_000  # all members together
    members: int = 10_000
    directory_bytes: int = 10_000_000  # the table of contents, checked before it is read
    ratio: int = 100  # how many times larger a member may get when unpacked ...
    ratio_from_bytes: int = 1_000_000  # ... if it gets larger than this


LIMITS: Final = ArchiveLimits()  # for strangers
OWN_LIMITS: Final = ArchiveLimits(  # for the people at this machine, who may fill their own disk
    file_bytes=2_000_000_000,  # an upload is held in memory
    unpacked_bytes=20_000_000_000,
    members=200_000,
    directory_bytes=50_000_000,
)

_END = b"PK\x05\x06"  # end of central directory
_END_64 = b"PK\x06\x06"  # the same in the zip64 format
_TAIL: Final = 65_557 + 76  # the end record lies in the last 64 KB, a zip64 end record and its locator before it
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800
_NUL: Final = "Its name points outside the archive."
_DRIVE = re.compile(r"^[A-Za-z]:")
BROKEN_ZIP: Final = (  # what `zipfile` raises on a damaged file
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    struct.error,
    ValueError,
    LookupError,
    OSError,
    OverflowError,
    NotImplementedError,  # it requires a newer zip program
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipErrors:
    """The error and its sentences for a zip that is not opened; ``{size}`` and ``{limit}`` are filled in."""

    error: type[TransferLearningError]
    too_large: str
    not_a_zip: str
    too_many_members: str


_ERRORS: Final = ZipErrors(
    error=ArchiveError,
    too_large="The archive has {size}, more than the {limit} allowed: bring smaller images or fewer of them.",
    not_a_zip=(
        "This is not a zip file, or it is damaged or cut off: make it again "
        "(on Windows “Send to, Compressed folder”, on a Mac “Compress”) and bring the new one."
    ),
    too_many_members="The zip file lists more than the {limit} files allowed: bring it in parts.",
)


@contextlib.contextmanager
def open_zip(file: BinaryIO | Path, limits: ArchiveLimits, errors: ZipErrors = _ERRORS) -> Iterator[zipfile.ZipFile]:
    """An untrusted zip, opened once it and its table of contents are known to be small enough.

    Args:
        file: a stream stays open.
        limits: what it may hold; its members are not checked here.
        errors: what is raised.

    Raises:
        TransferLearningError: ``errors.error``, because it is no zip or is over a limit.
    """
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(file.open("rb")) if isinstance(file, Path) else file
        size = stream.seek(0, 2)
        if size == 0:
            raise errors.error("The file is empty (0 bytes): it may have been cut off on its way; bring it again.")
        if size > limits.file_bytes:
            too_large = errors.too_large.format(size=format_size(size), limit=format_size(limits.file_bytes))
            raise errors.error(too_large)
        claimed = _claimed_directory_bytes(stream)
        if claimed is None:
            raise errors.error(errors.not_a_zip)
        if claimed > limits.directory_bytes:
            raise errors.error(errors.too_many_members.format(limit=f"{limits.members:,}"))
        try:
            archive = stack.enter_context(zipfile.ZipFile(stream))
        except BROKEN_ZIP as error:
            raise errors.error(errors.not_a_zip) from error
        yield archive


@contextlib.contextmanager
def zip_source(file: BinaryIO | Path, limits: ArchiveLimits = LIMITS) -> Iterator[Source]:
    """The files in a zip archive, readable until the block ends.

    Where there are no pictures but in zips within it, each of those is a folder of its name, as if it had been
    unpacked there: one zip per class, or a zip in a zip. Zips within those are left out.

    Raises:
        ArchiveError: it is no zip, is damaged or empty, or is over a limit.
    """
    with open_zip(file, limits) as archive:
        # Junk is not even counted: a zip made on a Mac holds a junk file beside every photo.
        members = [
            info for info in archive.infolist() if not info.is_dir() and not is_junk(member_parts(info.filename))
        ]
        if not members:
            raise ArchiveError("The zip file is empty: put one folder of images per class into it.")
        check_totals([info.file_size for info in members], limits)
        if any(inflates_too_much(info, limits) for info in members):
            raise ArchiveError(
                "The zip file holds a file that unpacks to more than "
                f"{limits.ratio} times its size, as no photograph does: it is not opened."
            )
        with contextlib.ExitStack() as inner:
            yield _with_zips_inside(_source(archive, members), limits, inner)


@contextlib.contextmanager
def folder_with_zips(folder: Path, limits: ArchiveLimits = LIMITS) -> Iterator[Source]:
    """The files in a folder, readable until the block ends, also where it holds one zip per class.

    Raises:
        DataError: the folder is missing or cannot be read.
    """
    with contextlib.ExitStack() as inner:
        yield _with_zips_inside(folder_source(folder), limits, inner)


def _with_zips_inside(source: Source, limits: ArchiveLimits, stack: contextlib.ExitStack) -> Source:
    """The files of a source, and those in its zips: within the limits, all together."""
    packed = [file for file in source.files if file.parts[-1].lower().endswith(".zip") and file.copy is not None]
    files = [file for file in source.files if file not in packed]
    if any(PurePosixPath(file.parts[-1]).suffix.lower() in IMAGE_SUFFIXES for file in files):
        return source
    skipped = list(source.skipped)
    for file in packed:
        try:
            stream = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack closes it
            assert file.copy is not None  # noqa: S101  # those alone were taken
            file.copy(stream)
            archive = stack.enter_context(open_zip(stream, limits))
            members = [
                info for info in archive.infolist() if not info.is_dir() and not is_junk(member_parts(info.filename))
            ]
            check_totals([found.size for found in files] + [info.file_size for info in members], limits)
            if any(inflates_too_much(info, limits) for info in members):
                raise ArchiveError("It holds a file that unpacks to far more than its size, as no photograph does.")
        except TransferLearningError as error:
            skipped.append(SkippedFile(file.shown_name, f"An archive within the archive. {error}"))
            continue
        within, folders = _source(archive, members), (*file.parts[:-1], file.parts[-1][: -len(".zip")])
        files += [replace(found, parts=(*folders, *found.parts), copy=None) for found in within.files]
        skipped += [SkippedFile(f"{file.shown_name}/{left.name}", left.reason) for left in within.skipped]
    return Source(tuple(sorted(files, key=lambda file: file.parts)), tuple(skipped))


def is_encrypted(info: zipfile.ZipInfo) -> bool:
    """Whether a member is protected by a password."""
    return bool(info.flag_bits & _ENCRYPTED)


def is_plain_file(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a file, not a link or a device."""
    return stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def inflates_too_much(info: zipfile.ZipInfo, limits: ArchiveLimits) -> bool:
    """Whether a member claims to become far larger than it is in the zip."""
    return info.file_size > limits.ratio_from_bytes and info.file_size > limits.ratio * max(1, info.compress_size)


def member_problem(name: str, is_file: bool = True) -> str | None:
    """Why an archive member of this name is left out; None if it may be read."""
    path = name.replace("\\", "/")
    if "\0" in path or path.startswith("/") or _DRIVE.match(path) or ".." in path.split("/"):
        return _NUL
    return None if is_file else "It is a link or a device, not a file."


def member_parts(name: str) -> tuple[str, ...]:
    """The folders and the file name in a member's name."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def check_totals(sizes: list[int], limits: ArchiveLimits) -> None:
    """Refuse an archive with too many members or too much in them.

    Raises:
        ArchiveError: it is over a limit.
    """
    if len(sizes) > limits.members:
        raise ArchiveError(
            f"The archive holds {len(sizes):,} files, more than the {limits.members:,} allowed: bring it in parts."
        )
    if sum(sizes) > limits.unpacked_bytes:
        raise ArchiveError(
            f"The archive would unpack to {format_size(sum(sizes))}, more than the "
            f"{format_size(limits.unpacked_bytes)} allowed: bring fewer or smaller images."
        )


def _claimed_directory_bytes(stream: BinaryIO) -> int | None:
    """The size that a zip declares for its table of contents, before that is read; None if this is not a zip.

    It is the largest size that any end record claims, however many there are.
    """
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _TAIL))
    tail = stream.read()
    stream.seek(0)
    if _END not in tail:
        return None
    claims = [0]
    for signature, offset, form in ((_END, 12, "<L"), (_END_64, 40, "<Q")):
        for match in re.finditer(re.escape(signature), tail):
            field = tail[match.start() + offset : match.start() + offset + struct.calcsize(form)]
            if len(field) == struct.calcsize(form):
                claims += struct.unpack(form, field)
    return max(claim for claim in claims if claim != 0xFFFFFFFF)  # that value refers to the zip64 record


def _source(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Source:
    files, skipped = [], []
    folders = [info for info in archive.infolist() if info.is_dir()]
    names = _names_of([*members, *folders])
    for info, name in zip(members, names, strict=False):
        problem = member_problem(name, is_plain_file(info)) or (_NUL if "\0" in info.orig_filename else None)
        if problem is None and is_encrypted(info):
            problem = "It is protected by a password."
        if problem:
            skipped.append(SkippedFile(clean_file_name(name), problem))
        elif parts := member_parts(name):
            files.append(SourceFile(parts, info.file_size, _reader(archive, info), copy=_copier(archive, info)))
    inside = [member_parts(name) for name in names[len(members) :] if member_problem(name) is None]
    skipped += empty_folders(inside, map(member_parts, names[: len(members)]))
    return Source(tuple(sorted(files, key=lambda file: file.parts)), tuple(skipped))


def _names_of(members: list[zipfile.ZipInfo]) -> list[str]:
    """The names, each in the encoding it was written in."""
    told = {info.filename for info in members if not info.flag_bits & _UTF8}
    raw: dict[str, bytes] = {}
    for name in told:
        with contextlib.suppress(UnicodeEncodeError):  # an extra field has told the name in UTF-8
            raw[name] = name.encode("cp437")  # as which it was read
    read = dict(zip(raw, read_names(list(raw.values())), strict=True))
    return [info.filename if info.flag_bits & _UTF8 else read.get(info.filename, info.filename) for info in members]


def _reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with archive.open(info) as member:
                return read_limited(member)  # type: ignore[arg-type]  # read(n) is all that is used
        except (*BROKEN_ZIP, zlib.error, LZMAError, EOFError, RuntimeError) as error:
            raise ImageError("It is damaged within the zip file, or packed in a way that cannot be read.") from error

    return read


def _copier(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[BinaryIO], None]:
    def copy(target: BinaryIO) -> None:
        try:
            with archive.open(info) as member:
                shutil.copyfileobj(member, target)  # no more than the table of contents claims
        except (*BROKEN_ZIP, zlib.error, LZMAError, EOFError, RuntimeError) as error:
            raise ArchiveError("It is damaged, or packed in a way that cannot be read.") from error

    return copy


@contextlib.contextmanager
def archive_source(
    file: BinaryIO | Path, scratch: Path, limits: ArchiveLimits = LIMITS, task: TaskContext = UNATTENDED
) -> Iterator[Source]:
    """The files in a zip or a tar archive, whatever it is called, readable until the block ends.

    Raises:
        ArchiveError: it is neither, is damaged or empty, or is over a limit.
        StoppedError: a stop was requested.
    """
    with tar_source(file, scratch, limits, task) if is_tar(file) else zip_source(file, limits) as source:
        yield source


def is_tar(file: BinaryIO | Path) -> bool:
    """Whether a file begins as a tar archive does, plain or compressed by gzip, bzip2 or xz."""
    with file.open("rb") if isinstance(file, Path) else contextlib.nullcontext(file) as stream:
        stream.seek(0)
        start = stream.read(512)
        stream.seek(0)
    return start[257:262] == b"ustar" or start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"))


@contextlib.contextmanager
def tar_source(
    file: BinaryIO | Path, scratch: Path, limits: ArchiveLimits, task: TaskContext = UNATTENDED
) -> Iterator[Source]:
    """The pictures in a tar archive (plain or compressed), readable until the block ends.

    They are copied to numbered files in a folder below ``scratch`` that is removed afterwards.

    Raises:
        ArchiveError: it is no tar archive, is damaged, or is over a limit.
        StoppedError: a stop was requested.
    """
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=scratch) as folder:
        size = file.stat().st_size if isinstance(file, Path) else file.seek(0, 2)
        if size > limits.file_bytes:
            raise ArchiveError(_ERRORS.too_large.format(size=format_size(size), limit=format_size(limits.file_bytes)))
        try:
            with (
                file.open("rb") if isinstance(file, Path) else contextlib.nullcontext(file) as stream,
                tarfile.open(fileobj=_from_start(stream), mode="r|*") as archive,
            ):
                source = _copy_members(archive, Path(folder), limits, task)
        except (tarfile.TarError, EOFError, zlib.error, UnicodeError, OSError) as error:
            raise ArchiveError("The archive is damaged or cut off and cannot be read: bring it again.") from error
        yield source


def _from_start(stream: BinaryIO) -> BinaryIO:
    stream.seek(0)
    return stream


def _copy_members(archive: tarfile.TarFile, folder: Path, limits: ArchiveLimits, task: TaskContext) -> Source:
    files: list[SourceFile] = []
    skipped: list[SkippedFile] = []
    sizes: list[int] = []
    folders: list[tuple[str, ...]] = []
    filled: list[tuple[str, ...]] = []
    for member in archive:
        task.stop_if_asked("The import was stopped; nothing of it was kept.")
        parts = member_parts(member.name)
        if member.isdir():
            if member_problem(member.name) is None:
                folders.append(parts)
            continue
        filled.append(parts)
        sizes.append(member.size)
        check_totals(sizes, limits)
        if problem := member_problem(member.name, member.isreg()):
            skipped.append(SkippedFile(clean_file_name(member.name), problem))
        elif parts and not is_junk(parts) and (is_picture_name(parts[-1]) or is_table_name(parts[-1])):
            path = folder / f"{len(files)}"
            content = archive.extractfile(member)
            with path.open("wb") as output:
                if content is not None and member.size <= MAX_IMAGE_BYTES:
                    shutil.copyfileobj(content, output)
            files.append(SourceFile(parts, member.size, file_reader(path)))
        elif parts and not is_junk(parts):
            skipped.append(SkippedFile(clean_file_name(member.name), "It is not an image."))
    skipped += empty_folders(folders, filled)
    return Source(tuple(sorted(files, key=lambda found: found.parts)), tuple(skipped))
