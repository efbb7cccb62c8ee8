"""The queue of this process and the threads that work it off: one thread per training at a time, one that watches.

All are daemons, so that the server can always be stopped. What waits is in the run folders as well, and is taken up
again by the next server; what was at work shows as interrupted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tl_core.errors import RunNotFoundError, TransferLearningError, WorkspaceError
from tl_core.jobs.runners.runner import Runner, RunningTraining
from tl_core.runs import RunFolder, RunRecord, load_run, update_run
from tl_core.runs.heartbeat import HangDetector, Heartbeat
from tl_core.runs.record import Waiting
from tl_core.runs.store import end_run
from tl_core.storage.repository import discard_folder

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 5.0  # seconds between two looks for a heartbeat
CANCEL_SECONDS: Final = 0.2  # that a cancelled training has to end by itself, before its process is killed
REST_AFTER: Final = 300.0  # seconds without a training, after which its memory is given back
LET_GO_SECONDS: Final = 2.0  # that recording the end of a run takes at most

HUNG: Final = (
    "This training hung: it gave no sign of life for minutes, so it was ended. Nothing that was saved is lost: press "
    "Resume to go on from its last saved epoch."
)
WITHDRAWN: Final = "Stopped while it was waiting; nothing was trained."


@dataclass(frozen=True, slots=True)
class Job:
    """A copy of the queue's data on one run."""

    run_id: str
    position: int  # 0 is working, 1 is next, ...
    stopping: bool  # a stop or cancel was requested


@dataclass(slots=True, eq=False)
class _Entry:
    run_id: str
    path: Path
    waiting: Waiting
    training: RunningTraining | None = None  # once it works
    hang_detector: HangDetector | None = None
    stopping: bool = False
    discard: bool = False  # cancelled: the run folder is thrown away afterwards
    hung: bool = False


class Supervisor:
    """The runs in the queue, and the threads that have them trained.

    Args:
        runner: what trainings run in.
        clock: in seconds, for how long a run has been silent.
    """

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[_Entry] = []
        self._working: list[_Entry] = []
        self._threads = 0  # that work: as many as there were slots at most

    @property
    def starting(self) -> str:
        """What a person reads until a training that was begun is at work: a sentence."""
        return self._runner.starting

    def warm_up(self) -> None:
        """Have the runner prepare for a first training; returns at once."""
        with self._changed:
            self._start_threads()

    def add(self, run: RunRecord) -> None:
        """Add a waiting run to the queue at its place, unless it is there already."""
        assert run.waiting is not None  # noqa: S101  # whoever calls has just written it
        with self._changed:
            if any(entry.run_id == run.id for entry in (*self._working, *self._waiting)):
                return
            self._waiting.append(_Entry(run.id, run.path, run.waiting))
            self._waiting.sort(key=lambda entry: entry.waiting.place)
            self._start_threads()
            self._changed.notify_all()

    def wait_until_let_go(self, run_id: str) -> None:
        """Return once no training works on a run: one that was just cut off may still be recorded as such."""
        with self._changed:
            self._changed.wait_for(lambda: all(entry.run_id != run_id for entry in self._working), LET_GO_SECONDS)

    def end(self, run_id: str, *, discard: bool) -> bool:
        """Stop a run, and if ``discard`` delete it; returns whether it was in the queue."""
        with self._changed:
            working = next((entry for entry in self._working if entry.run_id == run_id), None)
            if working is not None:
                working.stopping = True
                working.discard |= discard
                if working.training is not None:
                    self._tell_to_end(working, working.training)
                return True
            entry = next((entry for entry in self._waiting if entry.run_id == run_id), None)
            if entry is None:
                return False
            self._waiting.remove(entry)
        if discard:
            discard_folder(entry.path)
        else:
            end_run(entry.path, "stopped", WITHDRAWN)
        return True

    def exchange(self, first: str, second: str) -> bool:
        """Have two waiting runs change places; returns whether both were still waiting."""
        with self._changed:
            found = {entry.run_id: entry for entry in self._waiting if entry.run_id in (first, second)}
            if len(found) < 2:  # one of the two has begun meanwhile
                return False
            one, other = found[first], found[second]
            one.waiting, other.waiting = (
                Waiting(one.waiting.mode, other.waiting.place),
                Waiting(other.waiting.mode, one.waiting.place),
            )
            for entry in (one, other):
                update_run(entry.path, waiting=entry.waiting)
            self._waiting.sort(key=lambda entry: entry.waiting.place)
            return True

    def jobs(self, runs: Path) -> tuple[Job, ...]:
        """Copies of the runs of one folder in the queue: those at work, then the waiting ones in their order."""
        with self._changed:
            working = [Job(entry.run_id, 0, entry.stopping) for entry in self._working if entry.path.parent == runs]
            waiting = [entry for entry in self._waiting if entry.path.parent == runs]
            return (*working, *(Job(entry.run_id, place, False) for place, entry in enumerate(waiting, start=1)))

    def end_hung_trainings(self) -> list[str]:
        """Look for a heartbeat of every run at work, and end those that were silent for too long.

        The watching thread does so every few seconds.

        Returns:
            The ids of the ended ones.
        """
        with self._changed:
            working = [entry for entry in self._working if entry.hang_detector and not entry.hung]
        # Read without the lock: the disk may be what hangs.
        silent = [entry for entry in working if entry.hang_detector and entry.hang_detector.too_long(self._clock())]
        with self._changed:
            hung = [entry for entry in silent if entry in self._working]
            for entry in hung:
                logger.error("Run %s gave no sign of life for minutes and is ended", entry.run_id)
                entry.hung = True
                if entry.training is not None:
                    entry.training.kill()
        return [entry.run_id for entry in hung]

    def _tell_to_end(self, entry: _Entry, training: RunningTraining) -> None:
        training.stop()
        if not entry.discard:
            return

        def kill_if_at_work() -> None:
            with self._changed:  # else the next training could have begun in the same process
                if entry in self._working:
                    training.kill()

        timer = threading.Timer(CANCEL_SECONDS, kill_if_at_work)
        timer.daemon = True
        timer.start()

    def _start_threads(self) -> None:
        """Start what is missing: one thread per training at a time, and one that watches."""
        slots = range(self._threads, self._runner.slots)
        new = [
            threading.Thread(target=self._work, args=(slot,), name=f"training-{slot}", daemon=True) for slot in slots
        ]
        if not self._threads:
            new.append(threading.Thread(target=self._watch, name="training-watch", daemon=True))
        self._threads += len(slots)
        for thread in new:
            thread.start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._working)
            pause.wait(LOOK_EVERY)
            self.end_hung_trainings()
            with self._changed:  # there may be more slots by now
                self._start_threads()
                self._changed.notify_all()

    def _work(self, slot: int) -> None:
        # A thread that never ends starts the processes: Linux ends them with the thread that has started them.
        if slot == 0:
            self._runner.warm_up()
        rest_after = None  # seconds
        while True:
            entry = self._next(slot, rest_after)
            rest_after = None if entry is None else REST_AFTER
            try:
                self._runner.rest(slot) if entry is None else self._run(entry, slot)
            except Exception:  # the thread must outlive whatever one training does
                logger.exception("Slot %d could not supervise %s to its end", slot, entry or "its rest")
            finally:
                with self._changed:
                    self._working = [other for other in self._working if other is not entry]
                    self._changed.notify_all()

    def _next(self, slot: int, seconds: float | None) -> _Entry | None:
        """Take the next waiting run; None if there is none for so long."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting and slot < self._runner.slots, seconds):
                return None
            entry = self._waiting.pop(0)
            self._working.append(entry)
            self._changed.notify_all()
            return entry

    def _run(self, entry: _Entry, slot: int) -> None:
        try:
            load_run(entry.path)  # deleted by hand meanwhile?
        except RunNotFoundError:
            return
        Heartbeat(RunFolder(entry.path), self._clock).slow_step()  # TensorFlow may have to be loaded first
        entry.hang_detector = HangDetector(RunFolder(entry.path), LOOK_EVERY, self._clock())
        with self._changed:
            training = entry.training = self._runner.start(entry.waiting.mode, entry.path, slot)
            if entry.stopping:
                self._tell_to_end(entry, training)
        gone = training.wait()
        if gone is not None and not entry.discard:
            self._record_loss(entry, HUNG if entry.hung else gone)
        if entry.discard:
            self._discard(entry.path)

    def _record_loss(self, entry: _Entry, text: str) -> None:
        logger.error("Run %s was cut off: %s", entry.run_id, text)
        try:
            end_run(entry.path, "interrupted", text)
        except TransferLearningError:
            logger.exception("The end of run %s could not be recorded", entry.run_id)

    def _discard(self, path: Path) -> None:
        try:
            discard_folder(path)
        except WorkspaceError:
            logger.exception("The cancelled run %s could not be deleted", path.name)
