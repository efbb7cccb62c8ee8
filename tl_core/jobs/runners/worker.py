"""Runs trainings in worker processes, one per GPU, or one where there is none.

A process of its own, because a training that crashes, hangs or fills the memory must not take the dashboard with it,
can be ended at any moment, gives its GPU memory back, and does not share an interpreter with the pages. It stays for
the next training: TensorFlow is imported once, and the backbone at hand.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tl_core.jobs.runners.runner import RunningTraining
from tl_core.machine.child_process import JsonProcess
from tl_core.machine.hardware import detect_hardware
from tl_core.runs.record import Mode

logger = logging.getLogger(__name__)

MODULE: Final = "tl_core.jobs.runners.worker_process"
GONE: Final = (
    "The process of this training ended unexpectedly ({}). Nothing that was saved is lost: press Resume to go on "
    "from its last saved epoch."
)
KILLED: Final = "it was killed, as the system does with a program when the memory is full"


class WorkerRunner:
    """Worker processes that are started in the background and stay warm.

    Args:
        slots: trainings at a time; one per GPU, or one, by default.
    """

    starting: Final = "Starting up …"

    def __init__(self, slots: int | None = None) -> None:
        self._devices = _visible_gpus()
        self.slots = slots or max(1, len(self._devices))
        self._lock = threading.Lock()
        self._workers: dict[int, Worker] = {}

    def warm_up(self) -> None:
        """Start the first worker process, which imports TensorFlow with a low priority."""
        self._worker(0)

    def start(self, mode: Mode, run_path: Path, slot: int) -> RunningTraining:
        """Begin a training in the slot's worker process, or in a new one where that is gone."""
        return WorkerTraining(lambda: self._worker(slot), mode, str(run_path))

    def rest(self, slot: int) -> None:
        """Replace a process that has trained by a fresh one: it may hold a gigabyte, and memory of a GPU."""
        with self._lock:
            worker = self._workers.pop(slot, None)
        if worker is not None:
            worker.close()
        if slot == 0:
            self.warm_up()

    def close(self) -> None:
        """End all worker processes, with what they train."""
        with self._lock:
            for worker in self._workers.values():
                worker.close()

    def _worker(self, slot: int) -> Worker:
        with self._lock:
            worker = self._workers.get(slot)
            if worker is None or not worker.alive:
                device = self._devices[slot] if slot < len(self._devices) and self.slots > 1 else None
                worker = self._workers[slot] = Worker(device)
            return worker


class Worker(JsonProcess):
    """One worker process.

    Args:
        device: the value of ``CUDA_VISIBLE_DEVICES``; None leaves it as it is.
    """

    def __init__(self, device: str | None = None) -> None:
        self._begun: str | None = None
        super().__init__(MODULE, variables={} if device is None else {"CUDA_VISIBLE_DEVICES": device})

    def until_ended(self, run: str) -> str | None:
        """Return once a training has ended; a sentence if the process has, before it could say so."""
        for answer in self.answers():
            self._begun = answer.get("begun", self._begun)
            if answer.get("ended") == run:
                return None
        return GONE.format(_cause(self.exit_code))

    def has_begun(self, run: str) -> bool:
        """Whether it has taken a training."""
        return self._begun == run


class WorkerTraining:
    """A training in a worker process.

    Args:
        find_worker: gives the process, a new one where the last is gone.
        mode: how it begins.
        run: folder of the run.
    """

    def __init__(self, find_worker: Callable[[], Worker], mode: Mode, run: str) -> None:
        self._find_worker = find_worker
        self._verb = mode
        self._run = run
        self._ended = False
        self._worker = self._begin()

    def stop(self) -> None:
        """Ask it to stop."""
        self._worker.send(stop=self._run)

    def kill(self) -> None:
        """End it with its process."""
        self._ended = True
        self._worker.kill()

    def wait(self) -> str | None:
        """Return once it has ended; a process that died before it took the training is replaced, once."""
        gone = self._worker.until_ended(self._run)
        if gone is None or self._ended or self._worker.has_begun(self._run):
            return gone
        logger.warning("A worker process was gone before it began with %s; another one begins with it", self._run)
        self._worker = self._begin()
        return self._worker.until_ended(self._run)

    def _begin(self) -> Worker:
        worker = self._find_worker()
        worker.send(mode=self._verb, run=self._run)
        return worker


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return KILLED if -code == signal.SIGKILL else signal.Signals(-code).name


def _visible_gpus() -> tuple[str, ...]:
    """The GPUs that trainings may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(name for name in named.split(",") if name and name != "-1")
    return tuple(str(index) for index in range(len(detect_hardware().gpus)))
