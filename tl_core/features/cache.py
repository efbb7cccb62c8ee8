"""Large arrays on the disk under a key, memory-mapped, bounded in size, safe against a killed writer.

An entry is a folder ``<kind>-<sha256 of the key>`` with one ``.npy`` file per array and ``entry.json``. It is
made in a hidden folder and renamed when complete, so a reader meets a whole entry or none.

Rows that have names, one per image, are kept in several such entries of one key (`DiskCache.get_or_make_rows`). A
dataset of which ten images are new then costs ten rows, whatever their order, labels and splits have become.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import logging
import math
import os
import secrets
import shutil
import zlib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil

from tl_core.errors import WorkspaceError
from tl_core.storage.files import read_json, write_json
from tl_core.storage.workspace import Workspace, gigabytes_from_environment

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Places = npt.NDArray[np.int64]
Place = tuple[int, int]
"""Which entry holds a row, and where."""
Key = Mapping[str, Any]
"""What an entry was made from, in plain values; another value anywhere is another entry."""

DEFAULT_LIMIT_GB: Final = 10.0  # 10^9 bytes; TL_CACHE_GB overrides
_VERSION: Final = 1
_DISK_SHARE: Final = 2  # times the size of a new entry that must be free on the disk: the training writes, too
_MAKING: Final = ".making-"
_ENTRY_FILE: Final = "entry.json"
_NAMES_FILE: Final = "names.json"  # of an entry whose rows have names
_WHOLE: Final = 16 << 20  # bytes; larger files are checked by samples
_SAMPLE: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Shape and type of one array of an entry."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Size of the values."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Gathered:
    """Rows of several arrays as one array, read when they are asked for."""

    def __init__(self, parts: Sequence[Array], part: Places, place: Places) -> None:
        self._parts = tuple(parts)
        self._part = part  # (n,) which array holds the row
        self._place = place  # (n,) where in it
        self.dtype = parts[0].dtype
        self.shape = (len(part), *parts[0].shape[1:])
        self.ndim = len(self.shape)

    @property
    def nbytes(self) -> int:
        """Size of the values."""
        return int(math.prod(self.shape)) * int(self.dtype.itemsize)

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, rows: Any) -> Array:
        part, place = self._part[rows], self._place[rows]
        if part.ndim == 0:
            return np.asarray(self._parts[int(part)][int(place)])
        found = np.empty((len(part), *self.shape[1:]), self.dtype)
        for number in np.unique(part):
            at = np.flatnonzero(part == number)
            found[at] = self._parts[number][place[at]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self[np.arange(len(self))].astype(dtype or self.dtype, copy=False)


class DiskCache:
    """All entries of one folder, together at most ``limit_bytes``; the least recently used go first."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self.limit_bytes = limit_bytes

    def get_or_make(
        self, kind: str, key: Key, specs: Sequence[ArraySpec], fill: Callable[[Sequence[Array]], None]
    ) -> list[Array] | None:
        """The arrays of an entry, memory-mapped and read-only; ``fill`` writes them where there is no such entry.

        Returns:
            None where the cache has no room for them, or cannot be written: the caller then works without.
        """
        if found := self.open(kind, key):
            return found
        if not self.fits(specs):
            return None
        try:
            with self.making(kind, key, specs) as arrays:
                fill(arrays)
        except WorkspaceError as error:
            logger.warning("The work goes on without the cache: %s", error)
            return None
        return self.open(kind, key)

    def get_or_make_rows(
        self,
        kind: str,
        key: Key,
        names: Sequence[str],
        specs: Sequence[ArraySpec],
        fill: Callable[[Sequence[Array], Places], None],
    ) -> list[Any] | None:
        """Rows with names, those that are kept and those that ``fill`` makes now.

        Args:
            names: of each row, by what it was made from; rows of one name are equal.
            specs: of one row.
            fill: ``fill(arrays, places)`` writes the row of ``names[places[i]]`` into row ``i`` of each array.

        Returns:
            For each spec what ``array[rows]`` and ``len`` work with; None where the new rows do not fit.
        """
        kept, where = self.kept_rows(kind, key, names)
        if missing := first_places(names, where):
            new = [names[place] for place in missing]
            places = np.array(missing, np.int64)
            if not self.fits(room := [ArraySpec((len(new), *spec.shape), spec.dtype) for spec in specs]):
                return None
            try:
                with self.making(kind, key, room, new) as arrays:
                    fill(arrays, places)
            except WorkspaceError as error:
                logger.warning("The work goes on without the cache: %s", error)
                return None
            made = self._open(self._part_path(kind, key, new))
            return None if made is None else gathered(kept, where, names, (new, made))
        return gathered(kept, where, names)

    def open_rows(self, kind: str, key: Key, names: Sequence[str]) -> list[Any] | None:
        """The rows of these names where all of them are kept."""
        kept, where = self.kept_rows(kind, key, names)
        return None if first_places(names, where) else gathered(kept, where, names)

    def kept_rows(self, kind: str, key: Key, names: Sequence[str]) -> tuple[list[list[Array]], dict[str, Place]]:
        """The entries that hold any of these rows, and where each of those lies: for `gathered`."""
        kept: list[list[Array]] = []
        where: dict[str, Place] = {}
        left = set(names)
        for path in sorted(self._parts(kind, key), key=lambda part: len(_names_in(part)), reverse=True):
            rows = _names_in(path)
            found = left & rows.keys()
            if found and (arrays := self._open(path)) is not None:
                where |= {name: (len(kept), rows[name]) for name in found}
                kept.append(arrays)
                left -= found
        return kept, where

    def holds_rows(self, kind: str, key: Key, names: Sequence[str]) -> bool:
        """Whether all rows of these names are kept; whether they are whole shows when they are opened."""
        left = set(names)
        for path in self._parts(kind, key):
            left -= _names_in(path).keys()
        return not left

    def fits(self, specs: Sequence[ArraySpec]) -> bool:
        """Whether an entry of these arrays can be made: within the limit, and with as much disk space left over.

        Entries that were used less recently make room for it.
        """
        return self._evictions(specs) is not None

    def make_disk_room(self, needed: int) -> None:
        """Evict the least recently used entries until the disk has ``needed`` bytes free, or no entry is left."""
        for path in sorted(self._entries(), key=_last_used):
            if shutil.disk_usage(self._nearest_folder()).free >= needed:
                return
            shutil.rmtree(path, ignore_errors=True)

    def open(self, kind: str, key: Key) -> list[Array] | None:
        """The arrays of an entry, memory-mapped and read-only, or None; a damaged entry is removed."""
        return self._open(self._path(kind, key))

    def _open(self, path: Path) -> list[Array] | None:
        if not path.is_dir():
            return None
        try:
            arrays = _open_checked(path)
        except (OSError, ValueError, KeyError, TypeError, WorkspaceError) as error:
            logger.warning("A damaged cache entry is made again: %s (%s)", path.name, error)
            shutil.rmtree(path, ignore_errors=True)
            return None
        with contextlib.suppress(FileNotFoundError):  # evicted by another process just now; what is mapped stays
            os.utime(path / _ENTRY_FILE)  # used now
        return arrays

    def name_of(self, kind: str, key: Key) -> str:
        """The name of an entry, for `holds`."""
        return self._path(kind, key).name

    def holds(self, name: str) -> bool:
        """Whether there is an entry of this name, or rows of it; whether it is whole shows when it is opened."""
        return (self._folder / name / _ENTRY_FILE).is_file() or any(self._folder.glob(f"{name}-*/{_ENTRY_FILE}"))

    @contextlib.contextmanager
    def making(
        self, kind: str, key: Key, specs: Sequence[ArraySpec], names: Sequence[str] = ()
    ) -> Iterator[list[Array]]:
        """Yield writable arrays; they become the entry when the block ends, and are dropped if it raises.

        With ``names`` their rows become some of the named rows of the key.

        ``entry.json`` has what they were made from, and the check sums by which damage shows.

        Raises:
            WorkspaceError: there is no room for them, or the cache cannot be written.
        """
        temporary = self._folder / f"{_MAKING}{os.getpid()}-{secrets.token_hex(6)}"
        try:
            if (evictions := self._evictions(specs)) is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            for path in evictions:
                shutil.rmtree(path, ignore_errors=True)
            temporary.mkdir(parents=True)
            arrays = [_create(temporary / _file_name(index), spec) for index, spec in enumerate(specs)]
            yield arrays
            for array in arrays:
                array.flush()  # type: ignore[attr-defined]  # a memmap
            sums = [_check_sum(temporary / _file_name(index)) for index in range(len(arrays))]
            if names:
                write_json(temporary / _NAMES_FILE, list(names))
            write_json(temporary / _ENTRY_FILE, {"key": dict(key), "check_sums": sums})
            _move(temporary, self._part_path(kind, key, names) if names else self._path(kind, key))
        except OSError as error:
            raise WorkspaceError(
                f"The cache in the workspace cannot be written ({error.strerror}): free some disk space, or allow "
                "the cache less of it with TL_CACHE_GB."
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def size_bytes(self) -> int:
        """Disk space that all entries take."""
        return sum(_size(path) for path in self._entries())

    def clear(self) -> None:
        """Remove every entry; arrays that are open stay readable until they are released."""
        for path in self._entries():
            shutil.rmtree(path, ignore_errors=True)

    def _path(self, kind: str, key: Key) -> Path:
        text = json.dumps({"version": _VERSION, **key}, sort_keys=True)
        return self._folder / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()}"

    def _part_path(self, kind: str, key: Key, names: Sequence[str]) -> Path:
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
        return self._folder / f"{self._path(kind, key).name}-{digest}"

    def _parts(self, kind: str, key: Key) -> list[Path]:
        return [path.parent for path in self._folder.glob(f"{self._path(kind, key).name}-*/{_ENTRY_FILE}")]

    def _entries(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")]

    def _evictions(self, specs: Sequence[ArraySpec]) -> list[Path] | None:
        """The entries that must go for these arrays, least recently used first; None where all are not enough."""
        self._remove_abandoned()
        needed = sum(spec.bytes for spec in specs)
        sizes = {path: _size(path) for path in sorted(self._entries(), key=_last_used)}
        over_limit = sum(sizes.values()) + needed - self.limit_bytes
        over_disk = _DISK_SHARE * needed - shutil.disk_usage(self._nearest_folder()).free
        missing, evictions = max(over_limit, over_disk), []
        for path, size in sizes.items():
            if missing <= 0:
                break
            evictions.append(path)
            missing -= size
        return evictions if missing <= 0 else None

    def _nearest_folder(self) -> Path:
        """The cache's folder, or where it will be made."""
        return next(path for path in (self._folder, *self._folder.parents) if path.is_dir())

    def _remove_abandoned(self) -> None:
        """Remove what processes that no longer exist left half-made."""
        for path in self._folder.glob(f"{_MAKING}*"):
            pid = path.name.removeprefix(_MAKING).partition("-")[0]
            if not (pid.isdigit() and psutil.pid_exists(int(pid))):
                shutil.rmtree(path, ignore_errors=True)


def open_cache(workspace: Workspace) -> DiskCache:
    """The workspace's cache, bounded by ``TL_CACHE_GB`` (10^9 bytes each, 10 if not set).

    Raises:
        ConfigError: ``TL_CACHE_GB`` is no number of at least 0.
    """
    return DiskCache(workspace.cache, gigabytes_from_environment("TL_CACHE_GB", DEFAULT_LIMIT_GB))


def first_places(names: Sequence[str], known: Container[str]) -> list[int]:
    """Where each name that is not known stands first."""
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if name not in known:
            first.setdefault(name, place)
    return list(first.values())


def gathered(
    kept: Sequence[Sequence[Array]],
    where: Mapping[str, Place],
    names: Sequence[str],
    made: tuple[Sequence[str], Sequence[Array]] | None = None,
) -> list[Any]:
    """The rows of these names, from the entries that hold them and from what was ``made`` now (its names, arrays)."""
    entries, places = list(kept), dict(where)
    if made is not None:
        places |= {name: (len(entries), row) for row, name in enumerate(made[0])}
        entries.append(made[1])
    part = np.array([places[name][0] for name in names], np.int64)
    place = np.array([places[name][1] for name in names], np.int64)
    columns = list(zip(*entries, strict=True))
    whole = len(entries) == 1 and len(columns[0][0]) == len(place) and bool(np.all(place == np.arange(len(place))))
    return [column[0] if whole else Gathered(column, part, place) for column in columns]


@functools.lru_cache(maxsize=64)
def _names_in(path: Path) -> dict[str, int]:
    """The names of the rows of an entry; its folder's name stands for them, so they are read once."""
    try:
        return {name: row for row, name in enumerate(read_json(path / _NAMES_FILE))}
    except (OSError, WorkspaceError):
        return {}  # removed just now, or damaged: its rows are made again


def _file_name(index: int) -> str:
    return f"{index}.npy"


def _create(path: Path, spec: ArraySpec) -> Array:
    """Have the disk set the room aside; without, a disk that is full while the array is filled ends the process."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=spec.dtype, shape=spec.shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise  # other reasons: the file system cannot set room aside
    return array


def _open_checked(folder: Path) -> list[Array]:
    sums = read_json(folder / _ENTRY_FILE)["check_sums"]
    paths = [folder / _file_name(index) for index in range(len(sums))]
    if not paths or [_check_sum(path) for path in paths] != sums:
        raise ValueError("the check sums differ")
    return [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]


def _check_sum(path: Path) -> list[int]:
    """Size and CRC-32; of a large file over its start, its end and 64 places between."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE:
            return [size, zlib.crc32(file.read())]
        check = 0
        for start in np.linspace(0, size - _SAMPLE, 66, dtype=np.int64):
            file.seek(int(start))
            check = zlib.crc32(file.read(_SAMPLE), check)
    return [size, check]


def _move(temporary: Path, target: Path) -> None:
    """Put the finished entry in place; where another process was faster, its equal entry stays."""
    try:
        temporary.rename(target)
    except OSError:
        if not (target / _ENTRY_FILE).is_file():
            raise


def _size(folder: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # another process has just removed it
        return sum(file.stat().st_size for file in folder.iterdir())
    return 0


def _last_used(folder: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return (folder / _ENTRY_FILE).stat().st_mtime
    return 0.0
