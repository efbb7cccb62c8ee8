"""Sends a run to MLflow while it trains: ``python -m tl_core.runs.tracking.follower RUN_FOLDER``.

A process of its own, because neither the import of the client nor a server that does not answer may take time from
the training, and so that a training that was killed is shown as such. It ends by itself: once the run has ended and
all of it was sent, when another process goes on with the run, or when a server has not answered for a while.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tl_core.errors import RunNotFoundError
from tl_core.machine.priority import lower_process_priority
from tl_core.runs.record import Owner, RunFolder, RunRecord
from tl_core.runs.store import load_run
from tl_core.runs.tracking.mlflow_run import MlflowRun, Point, reason_of
from tl_core.runs.tracking.sent import Sent, sent_of, write_sent
from tl_core.runs.tracking.settings import Tracking
from tl_core.storage.event_log import Event, EventReader
from tl_core.storage.files import held

EVERY: Final = 1.0  # seconds between two looks at the events
LONGEST_PAUSE: Final = 15.0  # seconds between two tries
PATIENCE: Final = 60.0  # seconds after the end of a run in which a server may still come back
BATCHES_EVERY: Final = 2.0  # seconds of training between two batches that are sent
EVENTS_AT_ONCE: Final = 100  # of at most six figures each; MLflow takes 1000

_EPOCH: Final = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
_BATCH: Final = ("loss", "accuracy", "images_per_second")

WAITING: Final = "MLflow at {} does not take this run ({}); the training goes on, and what is missing is sent later."
GIVEN_UP: Final = "MLflow at {} did not take all of this run ({}): send the rest with “python -m tl_core track {}”."


class Follower:
    """What was sent of one run, and what is to be sent.

    Args:
        folder: of the run.
        tracking: where it goes.
    """

    def __init__(self, folder: RunFolder, tracking: Tracking) -> None:
        self._folder = folder
        self._tracking = tracking
        known = sent_of(folder)
        self.sent = known if known.uri == tracking.uri else Sent(tracking.uri)
        self._run: MlflowRun | None = None
        self._reader: EventReader | None = None
        self._waiting: list[Event] = []
        self._batch_sent = 0.0  # Unix seconds of the batch

    def send_new(self, record: RunRecord) -> None:
        """Send what has happened since; whatever MLflow's client raises says that something is missing."""
        run = self._opened(record)
        self._read()
        while self._waiting:
            part = self._waiting[:EVENTS_AT_ONCE]
            run.log(self._points(part))
            del self._waiting[: len(part)]
            self._note(events=self.sent.events + len(part))
        self._note(problem=None)

    def end(self, record: RunRecord) -> None:
        """Send how the run ended."""
        self._opened(record).end(record)

    def discard(self) -> None:
        """The run was deleted here."""
        if self._run is not None:
            self._run.discard()

    def miss(self, words: str, error: Exception, *more: str) -> None:
        """Write down that something is missing, and why."""
        reason = reason_of(error, self._tracking)
        self._note(problem=words.format(self._tracking.shown, reason, *more))

    def _opened(self, record: RunRecord) -> MlflowRun:
        if self._run is None:
            run = MlflowRun(self._tracking, record, self.sent.run_id)
            if run.id != self.sent.run_id:  # it has nothing yet, or nobody knows what
                self.sent = Sent(self._tracking.uri)
            self._note(run_id=run.id, page=run.page)
            self._run = run
        return self._run

    def _read(self) -> None:
        first = self._reader is None
        reader = self._reader = self._reader or EventReader(self._folder.events_file)
        found = reader.read_new()
        if not first and not found.restarted:
            self._waiting += found.events
            return
        generation, kept = reader.header.get("id", ""), reader.header.get("kept", 0)
        known, cut = self.sent.events, generation != self.sent.generation
        if cut:  # epochs are trained again; those before were all sent, or go again
            known = kept if known >= kept else 0
        self._waiting = found.events[known:]
        if cut:
            self._note(generation=generation, events=known)

    def _points(self, events: Sequence[Event]) -> Iterator[Point]:
        for event in events:
            at = int(1000 * event["t"])
            if event["kind"] == "epoch":
                values = {name: event[name] for name in _EPOCH} | {"epoch_seconds": event["seconds"]}
                step = event["epoch"]
            elif event["kind"] == "batch" and event["t"] - self._batch_sent >= BATCHES_EVERY:
                self._batch_sent = event["t"]
                values = {f"batch_{name}": event[name] for name in _BATCH}
                step = (event["epoch"] - 1) * event["batches"] + event["batch"]
            else:
                continue
            yield from (Point(name, value, at, step) for name, value in values.items() if value is not None)

    def _note(self, **changes: object) -> None:
        changed = replace(self.sent, **changes)  # type: ignore[arg-type]  # fields of it
        if changed != self.sent:
            write_sent(self._folder, changed)
            self.sent = changed


def follow(
    folder: RunFolder, tracking: Tracking, pause: Callable[[float], object], patience: float = PATIENCE
) -> Sent:
    """Send a run until it has ended and all was sent; returns what MLflow has of it then.

    Args:
        folder: of the run.
        tracking: where it goes.
        pause: waits for so many seconds.
        patience: seconds after the end of the run in which a server may still come back.

    Raises:
        RunNotFoundError: there is no such run.
        WorkspaceError: the disk is full.
    """
    owner = load_run(folder.path).owner
    folder.tracking_folder.mkdir(exist_ok=True)
    with held(folder.tracking_folder):  # one process sends; a second one waits and finds little to do
        return _follow(Follower(folder, tracking), folder, owner, pause, patience)


def _follow(
    follower: Follower, folder: RunFolder, owner: Owner | None, pause: Callable[[float], object], patience: float
) -> Sent:
    wait, left = EVERY, patience
    while True:
        active = True
        try:
            record = load_run(folder.path)
            active = record.active
            if active and record.owner != owner:
                return follower.sent  # another process goes on with it, and has it followed
            follower.send_new(record)
            if not active:
                follower.end(record)
                return follower.sent
            wait, left = EVERY, patience
        except RunNotFoundError:
            follower.discard()
            return follower.sent
        except Exception as error:  # noqa: BLE001  # whatever MLflow raises is written down, and tried again
            wait = min(2 * wait, LONGEST_PAUSE)
            left = patience if active else left - wait
            if left <= 0:
                follower.miss(GIVEN_UP, error, folder.path.name)
                return follower.sent
            follower.miss(WAITING, error)
        pause(wait)


def main() -> None:
    """Follow one run."""
    lower_process_priority()
    with contextlib.suppress(RunNotFoundError):  # deleted before anything could be sent
        follow(RunFolder(Path(sys.argv[1])), Tracking.from_environment(), threading.Event().wait)


if __name__ == "__main__":
    main()
