"""The append-only list of what happened in a run: one JSON object per line of ``events.jsonl``.

Every event has ``t`` (Unix seconds) and ``kind``:

========  ==================================================================================================
kind      further values
========  ==================================================================================================
phase     ``phase`` (prepare, features, head, fine_tune, evaluate, save), ``text``; of the two training phases
          also ``epochs``, ``steps`` (batches per epoch) and ``first_epoch``
progress  ``phase``, ``done``, ``total``, ``images_per_second``
batch     ``phase``, ``epoch``, ``batch``, ``batches``, ``loss``, ``accuracy``, ``images_per_second``
epoch     ``phase``, ``epoch``, ``epochs``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``,
          ``learning_rate``, ``seconds``, ``best`` (whether its model is the best so far)
pinned    ``epoch``, ``probabilities``: of each pinned picture, in their order, one number per class (0-1)
note      ``text``: a decision or a warning, in words
kept      ``entry`` of the cache with what the first ``frozen_layers`` layers say about the images
end       ``status``, ``text``
========  ==================================================================================================

Epochs count from 1 over both phases. Losses are means per image, accuracies lie in 0-1.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from tl_core.errors import WorkspaceError

Event = dict[str, Any]


class EventWriter:
    """Appends events to a run's file; each is on its way to the disk when `write` returns.

    Raises:
        WorkspaceError: the disk is full or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            _cut_torn_line(path)
            self._file: BinaryIO = path.open("ab", buffering=0)
        except OSError as error:
            raise WorkspaceError(_cannot_record(error)) from error

    def write(self, kind: str, **values: Any) -> None:
        """Append one event.

        Raises:
            WorkspaceError: the disk is full or the file cannot be written.
        """
        event = {"t": round(time.time(), 3), "kind": kind, **{name: _plain(value) for name, value in values.items()}}
        line = json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._file.write(line.encode())
        except OSError as error:
            raise WorkspaceError(_cannot_record(error)) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class EventReader:
    """Reads a growing file of events piece by piece; each event is given once, and only when complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read_new(self) -> list[Event]:
        """Events appended since the last call; none if the run has not begun to write."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [event for line in complete.splitlines() if (event := _parse(line)) is not None]


def read_events(path: Path) -> list[Event]:
    """All complete events of a file; a torn last line is left out."""
    return EventReader(path).read_new()


def _cannot_record(error: OSError) -> str:
    return f"The run can no longer be recorded ({error.strerror}): free some disk space and start it again."


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "kind" in event else None


def _plain(value: Any) -> Any:
    """Plain JSON values: NumPy scalars become numbers, and what is not finite becomes null."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _cut_torn_line(path: Path) -> None:
    """Drop a half-written last line, left by a killed process, so that the next event starts a line."""
    if not path.exists():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)
