"""A runner whose trainings are functions in threads of the test's process, so that a test can hold them."""

from __future__ import annotations

import threading
from pathlib import Path

from tl_core.jobs.runners.runner import TrainFunction, run_training
from tl_core.runs.record import Mode

GONE = "What ran it is gone."


class ThreadRunner:
    """Each of ``train``, ``resume`` and ``extend`` takes what `tl_core.training.train` takes."""

    starting = "Starting up …"

    def __init__(self, slots: int = 1, **functions: TrainFunction) -> None:
        self.slots = slots
        self._functions = functions

    def warm_up(self) -> None:
        """Threads are warm."""

    def rest(self, slot: int) -> None:
        """Threads hold nothing."""

    def close(self) -> None:
        """Threads end with the process."""

    def start(self, mode: Mode, run_path: Path, slot: int) -> ThreadTraining:
        """Begin."""
        return ThreadTraining(self._functions[mode], run_path)


class ThreadTraining:
    """A killed one is left alone: a thread cannot be killed."""

    def __init__(self, train: TrainFunction, run_path: Path) -> None:
        self._stop, self._over = threading.Event(), threading.Event()
        self._killed = False
        threading.Thread(target=self._work, args=(train, run_path), daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def kill(self) -> None:
        self._killed = True
        self._over.set()

    def wait(self) -> str | None:
        self._over.wait()
        return GONE if self._killed else None

    def _work(self, train: TrainFunction, run_path: Path) -> None:
        run_training(train, run_path, self._stop.is_set)
        self._over.set()
