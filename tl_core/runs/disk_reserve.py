"""Room on the disk for the last words of a run, so that one which ends on a full disk can still say so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tl_core.errors import WorkspaceError

RESERVE_FILE: Final = ".reserve"
RESERVE_BYTES: Final = 64 << 10  # the record and an event take a tenth of it


def reserve_disk(folder: Path) -> None:
    """Fill some room in the folder of a run; on a full disk there is none to keep, which the next write says."""
    with contextlib.suppress(OSError):
        (folder / RESERVE_FILE).write_bytes(bytes(RESERVE_BYTES))


def write_with_reserve(folder: Path, words: Callable[[], None]) -> None:
    """Write how a run has ended; where the disk is full, in the room that was kept for it.

    Raises:
        WorkspaceError: there is no room all the same.
    """
    try:
        words()
    except WorkspaceError:
        _give_room(folder)
        words()
    _give_room(folder)


def _give_room(folder: Path) -> None:
    (folder / RESERVE_FILE).unlink(missing_ok=True)
