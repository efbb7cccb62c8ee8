"""A disk that is full at the Nth write below a folder, from any code: every call that writes is watched."""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tl_core.runs.recovery import RESERVE_BYTES, RESERVE_FILE

BLOCK = 4096  # bytes that any write takes at least
DISPENSABLE = (
    "heartbeat.json",
    "log.txt",
)  # lost without harm, and written now and then, so they would spoil the count


class FullDisk:
    """Counts writes below a folder and refuses the Nth, and if it ``stays`` full all later ones, too.

    A file that is half written when the disk is full stays half written. Room that is set free can be used.
    """

    def __init__(self, folder: Path, full_at: int | None = None, *, stays: bool = False) -> None:
        self._folder = str(folder)
        self._full_at = full_at
        self._stays = stays
        self._room = 0  # writes that are possible again
        self.log: list[str] = []
        self.refused: list[str] = []

    def take(self, what: str, path: object) -> None:
        """One write.

        Raises:
            OSError: the disk is full.
        """
        self.log.append(f"{what} {Path(str(path)).name}")
        if self._full_at is None or len(self.log) < self._full_at or (self.refused and not self._stays):
            return
        if self._room:
            self._room -= 1
            return
        self.refused.append(self.log[-1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def free(self, path: object) -> None:
        """A file is removed."""
        if self.refused and Path(str(path)).name == RESERVE_FILE:
            self._room += RESERVE_BYTES // BLOCK

    def below(self, path: object) -> bool:
        """Whether a write to this path counts."""
        if not isinstance(path, (str, os.PathLike)):
            return False
        text = os.fspath(path)
        return str(text).startswith(self._folder) and not str(text).endswith(DISPENSABLE)


class _Limited(io.FileIO):
    """A file on a disk that may be full."""

    def __init__(self, disk: FullDisk, path: Any, mode: str) -> None:
        super().__init__(path, mode)
        self._disk = disk

    def write(self, data: Any) -> int | None:
        try:
            self._disk.take("write", self.name)
        except OSError:
            with memoryview(data).cast("B") as whole:
                super().write(whole[: len(whole) // 2])
            raise
        return super().write(data)


@contextlib.contextmanager
def full_disk(folder: Path, full_at: int | None = None, *, stays: bool = False) -> Iterator[FullDisk]:
    """Have the disk below a folder be full at a write; None = never, the writes are only counted."""
    disk = FullDisk(folder, full_at, stays=stays)
    real_open = io.open

    def opened(file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **options: Any) -> Any:
        if not set(mode) & set("wxa+") or not disk.below(file):
            return real_open(file, mode, buffering, *arguments, **options)
        if not os.path.exists(file):  # noqa: PTH110  # as it was given
            disk.take("create", file)
        raw = _Limited(disk, file, mode.replace("b", "").replace("t", ""))
        if buffering == 0:
            return raw
        binary: Any = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
        return binary if "b" in mode else io.TextIOWrapper(binary, *arguments, **options)

    def watched(what: str, real: Callable[..., Any], path_at: int = 0) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if disk.below(arguments[path_at]):
                disk.take(what, arguments[path_at])
            return real(*arguments, **options)

        return call

    def made(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_CREAT and disk.below(path):
            disk.take("create", path)
        return real_make(path, flags, *arguments, **options)

    def by_descriptor(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda descriptor, *arguments: watched(what, lambda _path, *rest: real(descriptor, *rest))(
            os.readlink(f"/proc/self/fd/{descriptor}") if os.path.isdir("/proc/self/fd") else str(folder), *arguments  # noqa: PTH112, PTH115
        )  # fmt: skip

    def removed(path: Any, *arguments: Any, **options: Any) -> None:
        real_unlink(path, *arguments, **options)
        disk.free(path)

    real_make, real_unlink = os.open, os.unlink
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", opened)
        patch.setattr(builtins, "open", opened)
        patch.setattr(os, "open", made)
        patch.setattr(os, "unlink", removed)
        patch.setattr(os, "mkdir", watched("mkdir", os.mkdir))
        patch.setattr(os, "replace", watched("replace", os.replace, 1))
        patch.setattr(os, "rename", watched("rename", os.rename, 1))
        patch.setattr(os, "fsync", by_descriptor("fsync", os.fsync))
        if hasattr(os, "posix_fallocate"):
            patch.setattr(os, "posix_fallocate", by_descriptor("reserve", os.posix_fallocate))
        yield disk
