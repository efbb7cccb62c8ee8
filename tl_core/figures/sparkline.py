"""A run's validation accuracy in few points, for a line in a table."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from tl_core.figures.decimation import decimate
from tl_core.figures.history import History
from tl_core.runs import RunRecord, read_events

MAX_POINTS: Final = 40


def accuracy_sparkline(run: RunRecord) -> tuple[float, ...]:
    """Validation accuracy per epoch, 0-1, at most 40 points; empty before the first epoch.

    Reading the same, unchanged run again costs next to nothing.
    """
    try:
        stamp = run.folder.events_file.stat()
    except FileNotFoundError:
        return ()
    return _read(run.folder.events_file, stamp.st_size, stamp.st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _read(path: Path, _size: int, _modified: int) -> tuple[float, ...]:
    """Read the events; the last two arguments make a file that has grown another key of the cache."""
    history = History().add(event for event in read_events(path) if event["kind"] in {"epoch", "phase"})
    values: list[float] = [value for value in history.column("val_accuracy") if value is not None]
    return tuple(values[place] for place in decimate(values, MAX_POINTS))
