"""One training from its first event to its last: set up, feature extraction, fine-tuning, save the best model."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tensorflow as tf

from tl_core.backbones.pool import release_backbone
from tl_core.config import TrainingConfig
from tl_core.config.phases import Phase, phases_of
from tl_core.data.normalise import Reading
from tl_core.errors import (
    DivergedError,
    OutOfMemoryError,
    StoppedError,
    TransferLearningError,
    WorkspaceError,
)
from tl_core.features.images import STOPPED
from tl_core.models.classifier import freeze_layers
from tl_core.runs import Best, EventLog, RunFolder, dataset_of, load_run, update_run
from tl_core.runs.heartbeat import Heartbeat
from tl_core.runs.recovery import remove_half_written, reserve_disk, write_with_reserve
from tl_core.runs.store import ending_of, now, this_process
from tl_core.runs.tracking.settings import MLFLOW, OFF, TENSORBOARD
from tl_core.storage.files import write_json
from tl_core.training.callbacks.backup import Backup, load_checkpoint, remove_checkpoint
from tl_core.training.callbacks.best_model import BestModel, SaveBestModel
from tl_core.training.callbacks.early_stopping import EarlyStopping
from tl_core.training.callbacks.event_log import EventLogger, describe
from tl_core.training.callbacks.last_epochs import LastEpochsCheckpoint, bytes_needed
from tl_core.training.callbacks.mlflow import MLflow
from tl_core.training.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from tl_core.training.callbacks.tensorboard import TensorBoard
from tl_core.training.callbacks.watched_images import WatchedImages
from tl_core.training.data import prepare_phase
from tl_core.training.epoch_runner import Interrupted
from tl_core.training.result import save_result
from tl_core.training.saving import require_room
from tl_core.training.setup import TrainingSetup, set_up_training
from tl_core.training.trainer import Callback, Checkpoint, FitSettings, Trainer

logger = logging.getLogger(__name__)

ShouldStop = Callable[[], bool]

_ENDINGS: Final = {
    "done": "Done: {}",
    "stopped": "Stopped: {}",
    "interrupted": "Stopped before it went on; press Resume to go on from its last epoch.",
}

# Programs that show runs, too: the variable that asks for one, and what its value, the folder of a run and the
# settings as text become.
_TRACKERS: Final[Mapping[str, Callable[[str, RunFolder, str], Callback]]] = {
    TENSORBOARD: lambda logs, folder, settings: TensorBoard(Path(logs) / folder.path.name, settings),
    MLFLOW: lambda _, folder, __: MLflow(folder),
}


def train(config: TrainingConfig, dataset_path: Path, run_path: Path, should_stop: ShouldStop) -> None:
    """Train a classifier; everything that happens is reported through the run folder alone.

    Args:
        config: what to do.
        dataset_path: folder of the dataset.
        run_path: folder of the run, ``<workspace>/runs/<run id>``.
        should_stop: checked at every batch and between the stages; once true, the best model so far is kept.

    Raises:
        StoppedError: stopped before there was a model to save.
        TransferLearningError: the training cannot go on; its sentence is in the record, too.
    """
    _run(config, dataset_path, run_path, should_stop)


def resume(config: TrainingConfig, dataset_path: Path, run_path: Path, should_stop: ShouldStop) -> None:
    """Go on from the last saved epoch to the planned end; otherwise as `train`."""
    _run(config, dataset_path, run_path, should_stop, load_checkpoint)


def extend(config: TrainingConfig, dataset_path: Path, run_path: Path, should_stop: ShouldStop) -> None:
    """Go on from the last epoch of a run that has ended to the end of a longer plan, with new patience.

    The plan is that of `tl_core.runs.store.with_more_epochs`; all else as `train`.
    """

    def load(folder: RunFolder) -> Checkpoint | None:
        checkpoint = load_checkpoint(folder)
        return checkpoint and checkpoint.with_new_patience()

    _run(config, dataset_path, run_path, should_stop, load)


def _run(
    config: TrainingConfig,
    dataset_path: Path,
    run_path: Path,
    should_stop: ShouldStop,
    load: Callable[[RunFolder], Checkpoint | None] | None = None,
) -> None:
    folder = RunFolder(run_path)
    heartbeat = Heartbeat(folder)
    heartbeat.enter(slow=True)

    def alive_and_asked() -> bool:
        heartbeat.beat()
        return should_stop()

    remove_half_written(run_path)
    reserve_disk(run_path)
    began = load_run(run_path).started if load else None
    update_run(
        run_path,
        status="running",
        started=began or now(),
        finished=None,
        error=None,
        waiting=None,
        owner=this_process(),
    )
    with _logging_to(folder.log_file), EventLog(folder.events_file) as events:
        log = EventLogger(events, heartbeat)
        with _ending(run_path, log):
            checkpoint = load(folder) if load else None
            events.forget_epochs_from(checkpoint.epoch + 1 if checkpoint else 1)
            status, best = _Training(config, dataset_path, folder, log, alive_and_asked, checkpoint).run()
            _close(run_path, log, status, _ENDINGS[status].format(describe(best)))
    gc.collect()  # models refer to themselves in circles; their memory is for the next run


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Append what this thread logs, from INFO on, to a file; a file that cannot be written stops nothing."""
    core = logging.getLogger("tl_core")
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)  # opened late: a full disk raises nothing here
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    thread = threading.get_ident()
    handler.addFilter(lambda record: record.thread == thread)
    previous = core.level
    if core.getEffectiveLevel() > logging.INFO:
        core.setLevel(logging.INFO)
    core.addHandler(handler)
    try:
        yield
    finally:
        core.removeHandler(handler)
        core.setLevel(previous)
        handler.close()


@dataclass
class _Training:
    """One training; `run` takes it to its end."""

    config: TrainingConfig
    dataset_path: Path
    folder: RunFolder
    log: EventLogger
    should_stop: ShouldStop
    checkpoint: Checkpoint | None

    def __post_init__(self) -> None:
        self._setup: TrainingSetup
        self._phases: tuple[Phase, ...]
        self._trainer: Trainer
        self._saver: SaveBestModel
        self._best = BestModel()
        if self.checkpoint is not None:
            self._best.load_state_dict(self.checkpoint.callbacks[BestModel.name])

    def run(self) -> tuple[str, Best]:
        """Train.

        Returns:
            ``done`` or ``stopped``, and the epoch whose model was saved; ``interrupted`` if a resumed training was
            stopped before it went on: its best epoch is in the checkpoint alone.

        Raises:
            StoppedError: stopped before there was a model to save.
            TransferLearningError: it cannot go on; the best model so far, if there is one, was saved.
        """
        try:
            return self._train()
        except StoppedError:
            raise
        except Exception as error:
            self._save_what_is_good(error)
            if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
                raise OutOfMemoryError(
                    "The memory is not enough for this training: choose a smaller batch size, a smaller image size, "
                    "a smaller backbone, or freeze more layers. What was trained is kept, and it can go on from its "
                    "last epoch."
                ) from error
            raise

    def _train(self) -> tuple[str, Best]:
        status = "done"
        try:
            self._set_up()
            self._fit()
        except (Interrupted, StoppedError) as error:
            if self._best.best is None:
                raise StoppedError(STOPPED) from error
            if not self._best.in_place:
                return self._as_it_was(self._best.best)
            status = "stopped"
            epoch, kept = self._trainer.epoch + 1, self._best.best.epoch
            self.log.note(f"Stopped in epoch {epoch}; the model of epoch {kept} is kept.")
        best = self._save(measure=status == "done" or self._trainer.data.checks_quickly)
        setup = self._setup
        if (
            len(self._phases) == 1 and setup.reusable
        ):  # left as it was for the next training; nothing uses it here now
            release_backbone(setup.backbone, setup.classifier.image_size, setup.classifier.base)
        return status, best

    def _set_up(self) -> None:
        config, folder, log = self.config, self.folder, self.log
        trackers = _trackers(folder, config)  # first, so that they see a training that fails early
        dataset = dataset_of(load_run(folder.path), self.dataset_path)
        setup = set_up_training(config, dataset, folder.workspace, log, self.should_stop)
        self._setup = setup
        update_run(folder.path, device=setup.device.text)
        classifier = setup.classifier
        self._phases = phases_of(config, len(classifier.base.layers))
        more = bytes_needed(classifier, self._phases[-1].frozen_layers, config.keep_last_epochs)
        require_room(folder.path, classifier, more)
        write_json(folder.labels_file, {"classes": list(setup.dataset.classes)})
        next_epoch = self.checkpoint.epoch + 1 if self.checkpoint else 1
        last_epochs = LastEpochsCheckpoint(folder, classifier, config.keep_last_epochs, next_epoch)
        self._saver = SaveBestModel(folder, classifier, setup.rebuild, log.slow_step, last_epochs.needs_model)
        callbacks: list[Callback] = [
            self._best,
            log,
            WatchedImages(folder, Reading(classifier.image_size, config.fit), log),
            last_epochs,
            EarlyStopping(config.early_stopping_patience),
            Backup(folder, log),
            self._saver,
        ]
        if config.schedule == "plateau":
            callbacks.insert(-2, ReduceLROnPlateau())
        callbacks += trackers
        steps = FitSettings(config.batch_size, config.optimizer, config.weight_decay, config.schedule, config.seed)
        self._trainer = Trainer(steps, setup.loss, callbacks, self.should_stop)

    def _fit(self) -> None:
        """Feature extraction, then fine-tuning; or what is left of them."""
        for phase in self._phases:
            if self.checkpoint is not None and self.checkpoint.phase != phase.name:
                continue  # it is complete
            freeze_layers(self._setup.classifier.base, phase.frozen_layers)
            self._trainer.fit(phase, prepare_phase(self._setup, phase), self.checkpoint)
            self.checkpoint = None

    def _save(self, *, measure: bool) -> Best:
        return save_result(self._trainer, self._setup, self.folder, self._saver, measure=measure)

    def _save_what_is_good(self, error: Exception) -> None:
        """Save the best epoch, also where the training cannot go on; and its last one, unless it diverged."""
        if isinstance(error, (DivergedError, WorkspaceError)):
            remove_checkpoint(self.folder)  # nothing good could follow; or it makes room for the model
        if not self._best.in_place:
            return
        try:
            self._save(measure=False)
        except TransferLearningError:
            logger.warning("The best model so far could not be saved either", exc_info=True)

    def _as_it_was(self, best: Best) -> tuple[str, Best]:
        """End a resumed training that has not gone on: its model may be there, or it can be resumed again."""
        run = load_run(self.folder.path)
        known = run.best if run.has_model else None
        return ("stopped", known) if known is not None and known.epoch == best.epoch else ("interrupted", best)


def _trackers(folder: RunFolder, config: TrainingConfig) -> list[Callback]:
    settings = json.dumps(config.to_dict(), indent=2)
    asked = ((make, os.environ.get(variable, "")) for variable, make in _TRACKERS.items())
    return [make(value, folder, settings) for make, value in asked if value not in OFF]


@contextlib.contextmanager
def _ending(run_path: Path, log: EventLogger) -> Iterator[None]:
    """Record how the training ended if it did not end well."""
    try:
        yield
    except Exception as error:
        expected = isinstance(error, TransferLearningError)
        logger.log(logging.INFO if expected else logging.ERROR, "The training ended with an error", exc_info=True)
        _close(run_path, log, *ending_of(error))
        raise


def _close(run_path: Path, log: EventLogger, status: str, text: str) -> None:
    error = text if status == "failed" else None
    gone = {"owner": None} if status == "interrupted" else {}  # no thread holds it: it can be resumed at once

    def words() -> None:
        update_run(run_path, status=status, finished=now(), error=error, **gone)
        log.end(status, text)

    write_with_reserve(run_path, words)
