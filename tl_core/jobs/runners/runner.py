"""The seam between the queue and what a training runs in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from tl_core.config import TrainingConfig
from tl_core.errors import TransferLearningError
from tl_core.runs import load_run
from tl_core.runs.record import Mode
from tl_core.runs.store import end_run, ending_of

logger = logging.getLogger(__name__)

TrainFunction: TypeAlias = Callable[[TrainingConfig, Path, Path, Callable[[], bool]], None]
"""``train(config, dataset_path, run_path, should_stop)``: reports only through the run folder."""


class RunningTraining(Protocol):
    """One training at work."""

    def stop(self) -> None:
        """Ask it to stop and keep its best model so far; returns at once, and does nothing once it has ended."""

    def kill(self) -> None:
        """End it now, whatever it is doing; returns at once. Nothing is saved that is not on the disk already."""

    def wait(self) -> str | None:
        """Return once it has ended.

        Returns:
            None where the run's folder says how it ended, else a sentence: what ran it is gone.
        """


class Runner(Protocol):
    """Runs trainings, at most `slots` at a time."""

    @property
    def slots(self) -> int:
        """Trainings at a time, at least 1; may change."""

    @property
    def starting(self) -> str:
        """What a person reads until a training that was begun is at work: a sentence."""

    def warm_up(self) -> None:
        """Prepare for a first training; returns at once."""

    def rest(self, slot: int) -> None:
        """Give back what the last training of a slot has left in memory: none has followed for some minutes."""

    def close(self) -> None:
        """End what trains, with its trainings."""

    def start(self, mode: Mode, run_path: Path, slot: int) -> RunningTraining:
        """Begin a training; returns at once.

        Args:
            mode: how it begins.
            run_path: folder of the run.
            slot: in 0 ... `slots` - 1; no other training of this runner has it now.
        """


def run_training(train: TrainFunction, run_path: Path, should_stop: Callable[[], bool]) -> None:
    """Run one training in this thread; whatever happens, the run's folder says how it ended."""
    try:
        run = load_run(run_path)
        train(run.config, run.dataset_path, run.path, should_stop)
    except Exception as error:  # noqa: BLE001  # what runs trainings must outlive whatever one of them does
        try:
            if end_run(run_path, *ending_of(error)):
                logger.exception("Run %s ended before its training could say so", run_path.name)
        except TransferLearningError:
            logger.exception("The end of run %s could not be recorded", run_path.name)
