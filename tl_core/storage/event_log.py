"""The append-only list of what happened in a run: one JSON object per line of ``events.jsonl``.

Every event has ``t`` (Unix seconds) and ``kind``:

==========  ================================================================================================
kind        further values
==========  ================================================================================================
phase       ``phase`` (prepare, features, head, fine_tune, evaluate, save), ``text``; of the two training phases
            also ``epochs``, ``steps`` (batches per epoch) and ``first_epoch``
progress    ``phase``, ``done``, ``total``, ``images_per_second``
batch       ``phase``, ``epoch``, ``batch``, ``batches``, ``loss``, ``accuracy``, ``images_per_second``
epoch       ``phase``, ``epoch``, ``epochs``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``,
            ``learning_rate``, ``seconds``, ``best`` (whether its model is the best so far)
pinned      ``epoch``, ``probabilities``: of each watched image, in their order, one number per class (0-1)
note        ``text``: a decision or a warning, in words
kept        ``entry`` of the cache with the output of the first ``frozen_layers`` layers for the images
end         ``status``, ``text``
==========  ================================================================================================

Epochs count from 1 over both phases. Losses are means per image, accuracies lie in 0-1.

A resumed run trains its last epochs again, so their events are cut off. The log is then replaced by one whose first
line is a ``generation``: a random ``id``, by which readers notice the change, and how many events were ``kept``. That
line is no event and is not given to readers.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tl_core.errors import WorkspaceError
from tl_core.storage.files import write_bytes

Event = dict[str, Any]

GENERATION: Final = "generation"
_OF_EPOCHS: Final = ("batch", "epoch", "pinned")


class EventLog:
    """The owner of a run's event file: appends to it and cuts it back.

    Every method, and making one, raises `WorkspaceError` where the disk is full or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open(path)

    def write(self, kind: str, **values: Any) -> None:
        """Append one event, whole or not at all; it is with the operating system when this returns."""
        event = {"t": round(time.time(), 3), "kind": kind, **{name: _plain(value) for name, value in values.items()}}
        with _recorded():
            _append(self._file, _line(event))

    def forget_epochs_from(self, epoch: int) -> None:
        """Drop the events of this epoch and of later ones, which will be trained again; readers start again."""
        lines = [(line, event) for line in self._path.read_bytes().splitlines(True) if (event := _parse(line))]
        kept = [line for line, event in lines if event["kind"] not in _OF_EPOCHS or event["epoch"] < epoch]
        if len(kept) == len(lines):
            return
        kept = kept[_is_header(lines[0][1]) :]
        header = {"t": round(time.time(), 3), "kind": GENERATION, "id": secrets.token_hex(8), "kept": len(kept)}
        self._file.close()
        try:
            write_bytes(self._path, b"".join((_line(header), *kept)))
        finally:
            self._file = _open(self._path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class NewEvents:
    """What a reader has found since it last looked."""

    events: list[Event]
    restarted: bool = False  # the log was cut back: these are all its events, and those given before do not count
    kept: int = 0  # so many of a restarted log's events are older than the cut

    @property
    def appended(self) -> list[Event]:
        """The events without those of a restarted log that are older than the cut."""
        return self.events[self.kept :]


class EventReader:
    """Reads a growing file of events piece by piece; each event is given once, and only when complete."""

    def __init__(self, path: Path) -> None:
        self.header: Event = {}  # the ``generation`` of the log that is being read; empty: it was never cut back
        self._path = path
        self._first_line = b""  # tells one generation of the log from another
        self._offset = 0

    def read_new(self) -> NewEvents:
        """Events appended since the last call; none if the run has not begun to write."""
        try:
            with self._path.open("rb") as file:
                first_line = file.readline()
                restarted = self._offset > 0 and (
                    first_line != self._first_line or file.seek(0, os.SEEK_END) < self._offset
                )
                if restarted:
                    self._offset, self.header = 0, {}
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return NewEvents([])
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        self._first_line = first_line
        events = [event for line in complete.splitlines() if (event := _parse(line)) is not None]
        if events and _is_header(events[0]):
            self.header = events.pop(0)
        return NewEvents(events, restarted, int(self.header.get("kept", 0)) if restarted else 0)


def read_events(path: Path) -> list[Event]:
    """All complete events of a file; a torn last line is left out."""
    return EventReader(path).read_new().events


def _open(path: Path) -> io.FileIO:
    """Open the file for appending; a half-written last line, left by a killed process, is dropped."""
    with _recorded():
        file = path.open("a+b", buffering=0)
        file.seek(0)
        data = file.read()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            file.truncate(end)
        return file


def _append(file: io.FileIO, line: bytes) -> None:
    """Append the whole line; a disk that takes only a part of it is left as it was.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    size = os.fstat(file.fileno()).st_size
    written = 0
    try:
        while written < len(line):
            count = file.write(line[written:])  # fewer bytes than asked for are no error yet
            if not count:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += count
    except OSError:
        file.truncate(size)
        raise


def _is_header(event: Event) -> bool:
    return bool(event["kind"] == GENERATION)


def _line(event: Event) -> bytes:
    return (json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextlib.contextmanager
def _recorded() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"The run can no longer be recorded ({error.strerror}): free some disk space and start it again."
        ) from error


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
