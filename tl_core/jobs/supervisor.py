"""The threads behind the queue: one works the trainings off, another looks whether the one at work still lives.

Both are daemons, so that the server can always be stopped; a run that was cut off in this way shows as interrupted.
A training that hangs cannot be ended, because a thread cannot be killed: it is given up, another thread takes what
waits, and should it wake up again, it finds that it is to stop.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tl_core.config import TrainingConfig
from tl_core.errors import TransferLearningError, WorkspaceError
from tl_core.machine.priority import share_the_lock
from tl_core.runs import RunRecord, Status, load_run
from tl_core.runs.heartbeat import HangDetector, Heartbeat
from tl_core.runs.store import end_run, ending_of
from tl_core.storage.repository import discard_folder

logger = logging.getLogger(__name__)

TrainFunction = Callable[[TrainingConfig, Path, Path, Callable[[], bool]], None]
"""``train(config, dataset_path, run_path, should_stop)``: reports only through the run folder."""

LOOK_EVERY: Final = 5.0  # seconds between two looks for a heartbeat

HUNG: Final = (
    "This training hangs: it gave no sign of life for minutes, and what waits behind it goes on without it. "
    "It cannot be ended from here: end the program that serves this page and start it again, then press Resume."
)


@dataclass(frozen=True, slots=True)
class Job:
    """A copy of the queue's data on one run."""

    run_id: str
    position: int  # 0 is working, 1 is next, ...
    stopping: bool  # a stop or cancel was requested


@dataclass(slots=True)
class _Entry:
    run_id: str
    path: Path
    train: TrainFunction
    stop: threading.Event = field(default_factory=threading.Event)
    hang_detector: HangDetector | None = None  # once it works
    discard: bool = False  # cancelled: the run folder is thrown away afterwards


class Supervisor:
    """The runs in the queue, and the threads that train them.

    Args:
        clock: in seconds, for how long a run has been silent.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[_Entry] = deque()
        self._working: _Entry | None = None
        self._worker: threading.Thread | None = None

    def add(self, run: RunRecord, train: TrainFunction) -> None:
        """Add a run to the queue, unless it is there already."""
        with self._changed:
            in_hand = {entry.run_id for entry in self._waiting} | {self._working.run_id if self._working else ""}
            if run.id in in_hand:
                return
            self._waiting.append(_Entry(run.id, run.path, train))
            if self._worker is None:
                self._start_worker()
                threading.Thread(target=self._watch, name="training-watch", daemon=True).start()
            self._changed.notify_all()

    def end(self, run_id: str, *, discard: bool) -> bool:
        """Stop a run, and if ``discard`` delete it; returns whether it was in the queue."""
        with self._changed:
            if self._working and self._working.run_id == run_id:
                self._working.discard |= discard
                self._working.stop.set()
                return True
            entry = next((entry for entry in self._waiting if entry.run_id == run_id), None)
            if entry is None:
                return False
            self._waiting.remove(entry)
        if discard:
            discard_folder(entry.path)
        else:
            end_run(entry.path, "stopped", "Stopped while it was waiting; nothing was trained.")
        return True

    def jobs(self) -> tuple[Job, ...]:
        """Copies of all runs in the queue: first the running one, then the waiting ones in their order."""
        with self._changed:
            working = [Job(self._working.run_id, 0, self._working.stop.is_set())] if self._working else []
            waiting = [Job(entry.run_id, place, False) for place, entry in enumerate(self._waiting, start=1)]
            return (*working, *waiting)

    def give_up_if_hung(self) -> bool:
        """Look for a heartbeat of the run at work; the watching thread does so every few seconds.

        Returns:
            Whether it has been silent for so long that it was given up.
        """
        with self._changed:
            entry = self._working
        if entry is None or entry.hang_detector is None or not entry.hang_detector.too_long(self._clock()):
            return False
        with self._changed:
            if self._working is not entry:
                return False
            entry.stop.set()  # for the case that it wakes up
            self._working = None
            self._start_worker()
            self._changed.notify_all()
        logger.error(
            "Run %s gave no sign of life for %.0f s and was given up", entry.run_id, entry.hang_detector.seconds
        )
        self._record_end(entry, "interrupted", HUNG)
        self._discard_if_asked(entry)
        return True

    def _start_worker(self) -> None:
        share_the_lock()
        self._worker = threading.Thread(target=self._work, name="training", daemon=True)
        self._worker.start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._working)
            pause.wait(LOOK_EVERY)
            self.give_up_if_hung()

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._worker is not threading.current_thread():
                    return  # given up, and awake again: another thread has taken its place
                self._changed.wait_for(lambda: self._waiting)
                entry = self._working = self._waiting.popleft()
            try:
                self._run(entry)
            finally:
                with self._changed:
                    if self._working is entry:
                        self._working = None
                    self._changed.notify_all()

    def _run(self, entry: _Entry) -> None:
        try:
            run = load_run(entry.path)
            Heartbeat(run.folder, self._clock).slow_step()  # TensorFlow may have to be loaded first
            entry.hang_detector = HangDetector(run.folder, LOOK_EVERY, self._clock())
            entry.train(run.config, run.dataset_path, run.path, entry.stop.is_set)
        except Exception as error:  # the worker must outlive whatever one training does
            if self._record_end(entry, *ending_of(error)):
                logger.exception("Run %s ended before its training could say so", entry.run_id)
        self._discard_if_asked(entry)

    def _record_end(self, entry: _Entry, status: Status, text: str) -> bool:
        """Record how a run ended; false where it has done so itself, as a training does that has begun."""
        try:
            return end_run(entry.path, status, text)
        except TransferLearningError:
            logger.exception("The end of run %s could not be recorded", entry.run_id)
            return True

    def _discard_if_asked(self, entry: _Entry) -> None:
        if not entry.discard:
            return
        try:
            discard_folder(entry.path)
        except WorkspaceError:
            logger.exception("The cancelled run %s could not be deleted", entry.run_id)
