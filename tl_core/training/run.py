"""One training from its first event to its last, and what its record says about it."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tl_core.config import TrainingConfig
from tl_core.errors import TransferLearningError
from tl_core.runs import EventLog, RunFolder, load_run, update_run
from tl_core.runs.heartbeat import Heartbeat
from tl_core.runs.recovery import remove_half_written, reserve_disk, write_with_reserve
from tl_core.runs.store import ending_of, now, this_process
from tl_core.training.callbacks.backup import load_checkpoint, with_more_epochs
from tl_core.training.callbacks.event_log import Reporter, describe
from tl_core.training.run_log import logging_to
from tl_core.training.trainer import Trainer

logger = logging.getLogger(__name__)

ShouldStop = Callable[[], bool]

_ENDINGS: Final = {
    "done": "Done: {}",
    "stopped": "Stopped: {}",
    "interrupted": "Stopped before it went on; press Resume to go on from its last epoch.",
}


def train(config: TrainingConfig, dataset_path: Path, run_path: Path, should_stop: ShouldStop) -> None:
    """Train a classifier; everything that happens is told through the run folder alone.

    Args:
        config: what to do.
        dataset_path: folder of the dataset.
        run_path: folder of the run, ``<workspace>/runs/<run id>``.
        should_stop: asked at every batch and between the stages; once true, the best model so far is kept.

    Raises:
        StoppedError: stopped before there was a model to keep.
        TransferLearningError: the training cannot go on; its sentence is in the record, too.
    """
    _run(config, dataset_path, run_path, should_stop, resuming=False)


def resume(config: TrainingConfig, dataset_path: Path, run_path: Path, should_stop: ShouldStop) -> None:
    """Go on with an interrupted run from its last saved epoch; otherwise as `train`."""
    _run(config, dataset_path, run_path, should_stop, resuming=True)


def extend(config: TrainingConfig, dataset_path: Path, run_path: Path, should_stop: ShouldStop, epochs: int) -> None:
    """Train so many epochs more, from the last epoch of a run that has ended, with the state of its optimizer.

    The epochs belong to the phase that the run has ended in; otherwise as `train`.
    """
    _run(config, dataset_path, run_path, should_stop, resuming=True, more=epochs)


def _run(
    config: TrainingConfig,
    dataset_path: Path,
    run_path: Path,
    should_stop: ShouldStop,
    *,
    resuming: bool,
    more: int = 0,
) -> None:
    folder = RunFolder(run_path)
    heartbeat = Heartbeat(folder)
    heartbeat.enter(slow=True)

    def alive_and_asked() -> bool:
        heartbeat.beat()
        return should_stop()

    began = load_run(run_path).started if resuming else None
    remove_half_written(run_path)
    reserve_disk(run_path)
    update_run(run_path, status="running", started=began or now(), finished=None, error=None, owner=this_process())
    checkpoint = load_checkpoint(folder) if resuming else None
    if checkpoint is not None and more:
        checkpoint = with_more_epochs(checkpoint, more)
    with logging_to(folder.log_file), EventLog(folder.events_file) as events:
        reporter = Reporter(events, heartbeat=heartbeat)
        with _ending(run_path, reporter):
            if resuming:
                events.forget_epochs_from(checkpoint.state.next_epoch if checkpoint else 1)
            course = Trainer(config, dataset_path, run_path, reporter, alive_and_asked, checkpoint)
            status, best = course.run()
            _close(run_path, reporter, status, _ENDINGS[status].format(describe(best)))
    gc.collect()  # models refer to themselves in circles; their memory is for the next run


@contextlib.contextmanager
def _ending(run_path: Path, reporter: Reporter) -> Iterator[None]:
    """Record how the training ended if it did not end well."""
    try:
        yield
    except Exception as error:
        expected = isinstance(error, TransferLearningError)
        logger.log(logging.INFO if expected else logging.ERROR, "The training ended with an error", exc_info=True)
        _close(run_path, reporter, *ending_of(error))
        raise


def _close(run_path: Path, reporter: Reporter, status: str, text: str) -> None:
    error = text if status == "failed" else None
    gone = {"owner": None} if status == "interrupted" else {}  # nobody holds it: it can be resumed at once

    def words() -> None:
        update_run(run_path, status=status, finished=now(), error=error, **gone)
        reporter.end(status, text)

    write_with_reserve(run_path, words)
