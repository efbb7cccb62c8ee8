"""The models of runs that are held in memory, each in its latest version."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

from tl_core.machine.pool import Pool
from tl_core.runs import RunRecord, load_run
from tl_core.runs.epoch_checkpoints import find_epoch

Opened = TypeVar("Opened")


class ModelPool(Generic[Opened]):
    """What is made of the models of runs; may be used by several threads, and opening one does not hold up others.

    Args:
        load: opens the model of a run, of a saved epoch or of its best one (None).
    """

    def __init__(self, size: int, load: Callable[[RunRecord, int | None], Opened]) -> None:
        self._pool: Pool[Opened] = Pool(size)
        self._load = load

    def open(self, run_path: Path, epoch: int | None = None) -> Opened:
        """The model of a run as it is now.

        Args:
            epoch: one of its saved epochs; None = the best one.

        Raises:
            ModelUnavailableError: the run has no model yet, the epoch is not saved, a file is damaged, or the
                backbone is unknown here.
            RunNotFoundError: there is no such run.
        """
        run = load_run(run_path)
        return self._pool.get((run_path, epoch), lambda: self._load(run, epoch), _version(run, epoch))


def _version(run: RunRecord, epoch: int | None) -> Hashable:
    """Another one as soon as the model is another."""
    if epoch is not None:  # only the epoch's weights differ: another best model changes no prediction
        return find_epoch(run, epoch).sha256
    try:
        stamp = run.folder.model_file.stat()
    except FileNotFoundError:
        return None  # loading it reports what is missing
    return stamp.st_mtime_ns, stamp.st_ino
