"""What lets a run survive a killed process and a full disk: room for its last event, and the cleaning up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil

from tl_core.errors import WorkspaceError
from tl_core.runs.evaluations import model_digest
from tl_core.runs.record import RunRecord
from tl_core.storage.files import WRITING

RESERVE_FILE: Final = ".reserve"
RESERVE_BYTES: Final = 64 << 10  # the record and an event take a tenth of it


def reserve_disk(folder: Path) -> None:
    """Fill some room in the folder of a run; a full disk has none to reserve, which the next write reports."""
    with contextlib.suppress(OSError):
        (folder / RESERVE_FILE).write_bytes(bytes(RESERVE_BYTES))


def write_with_reserve(folder: Path, write: Callable[[], None]) -> None:
    """Write how a run has ended; where the disk is full, once more in the room that was reserved for it.

    Raises:
        WorkspaceError: there is no room all the same.
    """
    reserve = folder / RESERVE_FILE
    try:
        write()
    except WorkspaceError:
        reserve.unlink(missing_ok=True)
        write()
    reserve.unlink(missing_ok=True)


def recover_model(record: RunRecord) -> RunRecord:
    """Decide by its sum which model is there: the one that the record knows, or the one that was to replace it."""
    coming = record.next_model
    if coming is None:
        return record
    settled = replace(record, next_model=None)
    if model_digest(record) != coming.sha256:
        return settled
    return replace(settled, best=coming.best, model_sha256=coming.sha256)


def remove_half_written(folder: Path) -> None:
    """Remove the files in a folder whose writers no longer exist."""
    for file in folder.glob(f"{WRITING}*"):
        pid = file.name.removeprefix(WRITING).partition("-")[0]
        with contextlib.suppress(FileNotFoundError):
            if not (pid.isdigit() and _existed(int(pid), file.stat().st_mtime)):
                file.unlink()


def _existed(pid: int, moment: float) -> bool:
    """Whether the process that has this number now existed at that moment: numbers are used again."""
    try:
        return bool(psutil.Process(pid).create_time() <= moment)
    except psutil.NoSuchProcess:
        return False
