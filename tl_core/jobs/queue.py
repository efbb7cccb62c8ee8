"""One training at a time, the others wait in the order they came; all of it outlives every browser tab.

The manager is one object of the process, not of a browser session: reloading a page, a second browser or a
cleared cache must not lose a training. The thread is a daemon, so that the server can always be stopped; a run
that was cut off in this way shows as interrupted. A training that hangs cannot be ended, because a thread cannot be
killed: it is given up, another thread takes what waits, and should it wake up again, it finds that it is to stop.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tl_core.config import TrainingConfig
from tl_core.errors import StoppedError, TransferLearningError, WorkspaceError
from tl_core.machine.priority import share_the_lock
from tl_core.runs import EventLog, RunRecord, find_run, load_run, update_run
from tl_core.runs.disk_reserve import write_with_reserve
from tl_core.runs.heartbeat import HangDetector, Heartbeat
from tl_core.runs.store import discard_folder, now, require_resumable, this_process, with_more_epochs
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

TrainFunction = Callable[[TrainingConfig, Path, Path, Callable[[], bool]], None]
"""``train(config, dataset_path, run_path, should_stop)``: reports only through the run folder."""

ExtendFunction = Callable[[int, TrainingConfig, Path, Path, Callable[[], bool]], None]
"""As `TrainFunction`, with the number of further epochs before the rest."""

LOOK_EVERY: Final = 5.0  # seconds between two looks for a sign of life

UNEXPECTED = "The training ended because of an unexpected error; the details are in the run's log."
HUNG = (
    "This training hangs: it gave no sign of life for minutes, and what waits behind it goes on without it. "
    "It cannot be ended from here: end the program that serves this page and start it again, then press Resume."
)


@dataclass(frozen=True, slots=True)
class Job:
    """A copy of what the manager knows about one run in its hands."""

    run_id: str
    position: int  # 0 is working, 1 is next, ...
    stopping: bool  # the person asked to stop or cancel, and it is on its way


@dataclass(slots=True)
class _Entry:
    run_id: str
    path: Path
    train: TrainFunction
    stop: threading.Event = field(default_factory=threading.Event)
    silence: HangDetector | None = None  # once it works
    discard: bool = False  # cancelled: the run folder is thrown away afterwards


class JobManager:
    """The queue of one workspace and the thread that works it off."""

    def __init__(
        self,
        workspace: Workspace,
        train: TrainFunction | None = None,
        resume: TrainFunction | None = None,
        extend: ExtendFunction | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = workspace
        self._train = train or _train
        self._resume = resume or _resume
        self._extend = extend or _extend
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[_Entry] = deque()
        self._working: _Entry | None = None
        self._worker: threading.Thread | None = None

    def submit(self, run_id: str) -> None:
        """Queue a run made by `tl_core.runs.create_run`; a run that is queued already stays where it is.

        Raises:
            RunNotFoundError: there is no such run.
            WorkspaceError: the run is not waiting to be started.
        """
        run = find_run(self._workspace, run_id)
        if run.status != "queued":
            raise WorkspaceError(f"“{run.name}” has been started before; start a new training instead.")
        self._enqueue(run, self._train)

    def resume(self, run_id: str) -> None:
        """Queue an interrupted run; it goes on from its last saved epoch.

        Raises:
            RunNotFoundError: there is no such run.
            WorkspaceError: the run was not interrupted, or still hangs in a program.
        """
        run = find_run(self._workspace, run_id)
        require_resumable(run)
        run = update_run(run.path, status="queued", owner=this_process(), finished=None, error=None)
        self._enqueue(run, self._resume)

    def extend(self, run_id: str, epochs: int) -> None:
        """Queue a run that has ended for so many epochs more, with the state of its optimizer.

        Raises:
            RunNotFoundError: there is no such run.
            WorkspaceError: its last epoch is not kept.
            ConfigError: that would be more epochs than a phase may have.
        """
        run = find_run(self._workspace, run_id)
        config = with_more_epochs(run, epochs)
        run = update_run(run.path, status="queued", owner=this_process(), finished=None, error=None, config=config)
        self._enqueue(run, functools.partial(self._extend, epochs))

    def stop(self, run_id: str) -> bool:
        """Ask a run to end and keep its best model so far; returns whether the run was in progress."""
        return self._end(run_id, discard=False)

    def cancel(self, run_id: str) -> bool:
        """Ask a run to end and throw it away; returns whether the run was in progress."""
        return self._end(run_id, discard=True)

    def jobs(self) -> tuple[Job, ...]:
        """Copies of all runs in hand: first the one at work, then the waiting ones in their order."""
        with self._changed:
            working = [Job(self._working.run_id, 0, self._working.stop.is_set())] if self._working else []
            waiting = [Job(entry.run_id, place, False) for place, entry in enumerate(self._waiting, start=1)]
            return (*working, *waiting)

    def job(self, run_id: str) -> Job | None:
        """What is known about one run, or None if it is not in hand."""
        return next((job for job in self.jobs() if job.run_id == run_id), None)

    def wait_until_idle(self, timeout: float | None = None) -> bool:
        """Block until nothing works and nothing waits, at most ``timeout`` seconds; returns whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and self._working is None, timeout)

    def _enqueue(self, run: RunRecord, train: TrainFunction) -> None:
        with self._changed:
            in_hand = {entry.run_id for entry in self._waiting} | {self._working.run_id if self._working else ""}
            if run.id in in_hand:
                return
            self._waiting.append(_Entry(run.id, run.path, train))
            if self._worker is None:
                self._start_worker()
                threading.Thread(target=self._watch, name="training-watch", daemon=True).start()
            self._changed.notify_all()

    def _start_worker(self) -> None:
        share_the_lock()
        self._worker = threading.Thread(target=self._work, name="training", daemon=True)
        self._worker.start()

    def _end(self, run_id: str, *, discard: bool) -> bool:
        with self._changed:
            if self._working and self._working.run_id == run_id:
                self._working.discard |= discard
                self._working.stop.set()
                return True
            entry = next((entry for entry in self._waiting if entry.run_id == run_id), None)
            if entry is None:
                return False
            self._waiting.remove(entry)
            self._changed.notify_all()
        if discard:
            discard_folder(entry.path)
        else:
            _close(entry.path, "stopped", "Stopped while it was waiting; nothing was trained.")
        return True

    def give_up_if_silent(self) -> bool:
        """Look for a sign of life of the run at work; the queue looks every few seconds, and tests do.

        Returns:
            Whether it has been silent for so long that it was given up.
        """
        with self._changed:
            entry = self._working
        if entry is None or entry.silence is None or not entry.silence.too_long(self._clock()):
            return False
        with self._changed:
            if self._working is not entry:
                return False
            entry.stop.set()  # for the case that it wakes up
            self._working = None
            self._start_worker()
            self._changed.notify_all()
        logger.error("Run %s gave no sign of life for %.0f s and was given up", entry.run_id, entry.silence.seconds)
        self._try_close(entry, "interrupted", HUNG)
        if entry.discard:
            self._try_discard(entry)
        return True

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._working)
            pause.wait(LOOK_EVERY)
            self.give_up_if_silent()

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
            entry.silence = HangDetector(run.folder, LOOK_EVERY, self._clock())
            entry.train(run.config, self._workspace.datasets / run.dataset_id, run.path, entry.stop.is_set)
        except StoppedError as error:
            self._try_close(entry, "stopped", str(error))
        except TransferLearningError as error:
            logger.info("Run %s failed: %s", entry.run_id, error, exc_info=True)
            self._try_close(entry, "failed", str(error))
        except Exception:  # the worker must outlive whatever one training does; nothing is hidden
            logger.exception("Run %s failed unexpectedly", entry.run_id)
            self._try_close(entry, "failed", UNEXPECTED)
        if entry.discard:
            self._try_discard(entry)

    def _try_close(self, entry: _Entry, status: str, text: str) -> None:
        try:
            if load_run(entry.path).active:
                _close(entry.path, status, text)
        except TransferLearningError:
            logger.exception("The end of run %s could not be recorded", entry.run_id)

    def _try_discard(self, entry: _Entry) -> None:
        try:
            discard_folder(entry.path)
        except WorkspaceError:
            logger.exception("The cancelled run %s could not be deleted", entry.run_id)


_managers: dict[Path, JobManager] = {}
_managers_lock = threading.Lock()


def manager(workspace: Workspace) -> JobManager:
    """The one job manager of this process for a workspace."""
    with _managers_lock:
        return _managers.setdefault(workspace.root, JobManager(Workspace(workspace.root)))


def _close(path: Path, status: str, text: str) -> None:
    error = text if status in ("failed", "interrupted") else None

    def words() -> None:
        update_run(path, status=status, finished=now(), error=error)
        with EventLog(load_run(path).folder.events_file) as events:
            events.write("end", status=status, text=text)

    write_with_reserve(path, words)


def _train(config: TrainingConfig, dataset: Path, run: Path, should_stop: Callable[[], bool]) -> None:
    from tl_core.training import train  # imports TensorFlow, so only when a training really begins

    train(config, dataset, run, should_stop)


def _resume(config: TrainingConfig, dataset: Path, run: Path, should_stop: Callable[[], bool]) -> None:
    from tl_core.training import resume

    resume(config, dataset, run, should_stop)


def _extend(epochs: int, config: TrainingConfig, dataset: Path, run: Path, should_stop: Callable[[], bool]) -> None:
    from tl_core.training import extend

    extend(config, dataset, run, should_stop, epochs)
