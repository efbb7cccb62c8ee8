"""Writing files so that a reader never sees half of one, and a crash never destroys the last good one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from tl_core.errors import WorkspaceError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

WRITING: Final = ".writing-"  # begins the name of a file that is not complete; the writer's pid follows


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; replace ``path`` by it if the block succeeds.

    The temporary file keeps the suffix of ``path`` (Keras chooses its format by suffix), is flushed to the
    disk and then renamed over ``path`` in one step, and is removed if the block raises.

    Raises:
        WorkspaceError: the disk is full or the folder cannot be written.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{WRITING}{os.getpid()}-", suffix=path.suffix, dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            _flush_to_disk(temporary)
            temporary.replace(path)
            _flush_to_disk(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def overwriting(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to be overwritten in its place, which is several times as fast as a new file each time.

    A crash leaves a mixture of old and new, so its reader has to notice that. Not flushed to the disk: what
    is written outlives the process, but not a power cut.

    Raises:
        WorkspaceError: the disk is full or the file cannot be written.
    """
    with _writing(path), path.open("r+b" if path.exists() else "w+b") as file:
        yield file
        file.truncate(file.tell())


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder`` until the block has read and written what is in it.

    It excludes other threads, and other processes where the disk supports locks (``flock``); a process that
    dies releases it. A thread that holds a lock must not acquire another one.

    Raises:
        FileNotFoundError: there is no such folder.
        WorkspaceError: the folder cannot be read.
    """
    with _threads, held(folder):
        yield


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for work that takes long: others who hold it wait, where the disk supports locks.

    Raises:
        FileNotFoundError: there is no such folder.
        WorkspaceError: the folder cannot be read.
    """
    with _writing(folder, unless=FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY) if fcntl is not None else None
    try:
        if descriptor is not None:
            with contextlib.suppress(OSError):  # a disk without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


_threads: Final = threading.Lock()


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the content of ``path`` in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` in one step by ``value`` as indented UTF-8 JSON."""
    write_bytes(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        WorkspaceError: the file is there but is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"The file {path.name} in the workspace is damaged and cannot be read.") from error


def sha256_of(path: Path) -> str:
    """Sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _writing(path: Path, unless: type[OSError] | tuple[()] = ()) -> Iterator[None]:
    try:
        yield
    except unless:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WorkspaceError(
            f"The workspace cannot be written ({reason}, while saving {path.name}): "
            "free some disk space or choose another folder with TL_WORKSPACE."
        ) from error
