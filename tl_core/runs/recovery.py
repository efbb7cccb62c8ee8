"""What a training leaves that was killed in the middle of a write, and how it is put in order."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace
from pathlib import Path

import psutil

from tl_core.runs.record import RunRecord
from tl_core.storage.files import WRITING, sha256_of


def recover_model(record: RunRecord) -> RunRecord:
    """Decide by its sum which model is there: the one that the record knows, or the one that was to replace it."""
    coming = record.next_model
    if coming is None:
        return record
    settled = replace(record, next_model=None)
    try:
        changed = record.folder.model_file.stat().st_mtime_ns
    except FileNotFoundError:
        return settled
    if _sha256_of(record.folder.model_file, changed) != coming.sha256:
        return settled
    return replace(settled, best=coming.best, model_sha256=coming.sha256)


def remove_half_written(folder: Path) -> None:
    """Remove the files in a folder whose writers no longer exist."""
    for file in folder.glob(f"{WRITING}*"):
        pid = file.name.removeprefix(WRITING).partition("-")[0]
        with contextlib.suppress(FileNotFoundError):
            if not (pid.isdigit() and _existed(int(pid), file.stat().st_mtime)):
                file.unlink()


@functools.lru_cache(maxsize=64)
def _sha256_of(path: Path, _changed: int) -> str:
    """Once for each state of a file: lists of runs are read again and again."""
    return sha256_of(path)


def _existed(pid: int, moment: float) -> bool:
    """Whether the process that has this number now existed at that moment: numbers are used again."""
    try:
        return bool(psutil.Process(pid).create_time() <= moment)
    except psutil.NoSuchProcess:
        return False
