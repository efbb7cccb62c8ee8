"""The course of a training: prepare, feature extraction, fine-tuning, keep the best, measure it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tl_core.config import TrainingConfig
from tl_core.config.phases import FINE_TUNE, HEAD
from tl_core.errors import StoppedError, TrainingError, WorkspaceError
from tl_core.features.images import STOPPED
from tl_core.machine.device import Device
from tl_core.models.freezing import freeze_layers
from tl_core.models.optimizers import build_optimizer
from tl_core.models.probabilities import as_class_probabilities
from tl_core.runs import Best, RunFolder, load_run, update_run
from tl_core.runs.evaluations import save_probabilities
from tl_core.runs.record import KeptModel
from tl_core.storage.files import write_json
from tl_core.training.callbacks.backup import Checkpoint, keep_latest, remove_checkpoint, save_checkpoint
from tl_core.training.callbacks.event_log import EVALUATE, SAVE, Reporter
from tl_core.training.callbacks.last_epochs import LastEpochsCheckpoint, bytes_needed
from tl_core.training.callbacks.watched_images import WatchedPictures, read_watched
from tl_core.training.data import PhaseData, prepare_phase
from tl_core.training.epoch_runner import EpochRunner, Interrupted, Result
from tl_core.training.inputs import CachedFeatures
from tl_core.training.phase import PhasePlan, TrainerState, run_phase
from tl_core.training.saving import require_room, restore, save_classifier, snapshot
from tl_core.training.setup import Prepared, prepare, release

MODEL_INTERVAL: Final = 30.0  # seconds between two writings of the best model
CHECKPOINT_INTERVAL: Final = 10.0  # seconds between two checkpoints that outlive a power cut; others: every epoch
MEASURED_AFTER_STOP: Final = 1.0  # seconds: once asked to stop, a measurement that takes longer is left out
MAX_LAST_CHECKPOINT: Final = 200 << 20  # bytes kept of a run that has ended, so that more epochs can follow


class Trainer:
    """One training; `run` takes it to its end."""

    def __init__(
        self,
        config: TrainingConfig,
        dataset_path: Path,
        run_path: Path,
        reporter: Reporter,
        should_stop: Callable[[], bool],
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._config = config
        self._dataset_path = dataset_path
        self._folder = RunFolder(run_path)
        self._reporter = reporter
        self._should_stop = should_stop
        self._checkpoint = checkpoint
        self._state = checkpoint.state if checkpoint else TrainerState(HEAD, 1, config.batch_size)
        self._prepared: Prepared
        self._stage: PhaseData
        self._fitter: EpochRunner
        self._watched: WatchedPictures | None = None
        self._kept = LastEpochsCheckpoint(self._folder, config.keep_last_epochs, self._state.next_epoch)
        self._last_epoch = 0
        self._checkpoint_bytes = 0
        self._best_in_place = False  # the weights of the best epoch are those of the classifier
        self._written: KeptModel | None = None
        self._model_written = self._checkpoint_written = time.monotonic()

    def run(self) -> tuple[str, Best]:
        """Train.

        Returns:
            ``done`` or ``stopped``, and the epoch whose model was saved; ``interrupted`` if a resumed training was
            stopped before it went on: its best epoch is in the checkpoint alone.

        Raises:
            StoppedError: stopped before there was a model to keep.
            TrainingError: it cannot go on; the best model so far, if there is one, was saved.
            WorkspaceError: the workspace cannot be written; as much as could be was saved.
        """
        status = "done"
        try:
            self._prepare()
            self._train()
        except (Interrupted, StoppedError) as error:
            if self._state.best is None:
                raise StoppedError(STOPPED) from error
            if not self._best_in_place:
                return self._leave_as_it_was(self._state.best)
            status = "stopped"
            self._reporter.note(
                f"Stopped in epoch {self._state.next_epoch}; the model of epoch {self._state.best.epoch} is kept."
            )
        except TrainingError:
            if self._best_in_place:
                self._keep_best(measure=False)
            remove_checkpoint(self._folder)  # nothing good could follow
            raise
        except WorkspaceError:
            remove_checkpoint(self._folder)  # makes room for the model
            if self._best_in_place:
                with contextlib.suppress(WorkspaceError):
                    self._keep_best(measure=False)
            raise
        best = self._keep_best(measure=status == "done" or isinstance(self._stage.validation.feed, CachedFeatures))
        if self._checkpoint_bytes > MAX_LAST_CHECKPOINT:
            remove_checkpoint(self._folder)
        else:
            keep_latest(self._folder)
        release(self._prepared)
        return status, best

    def improved(self, state: TrainerState) -> None:
        """The model is now the best so far: write it, if the last writing was long ago."""
        due = time.monotonic() - self._model_written >= MODEL_INTERVAL or self._kept.needs_model
        if state.best is not None and due:
            self._write_model(state.best)

    def epoch_told(self, epoch: int, val_accuracy: float) -> None:
        """Say what the model of this epoch makes of the pinned pictures, and keep it if it is to be kept."""
        if self._watched is not None:
            self._reporter.pinned(epoch, self._watched.ask())
        prepared = self._prepared
        self._kept.add(prepared.classifier, prepared.frozen_layers, epoch, self._state.phase, val_accuracy)

    def epoch_ended(self, state: TrainerState, *, last: bool) -> None:
        """Write what `resume` and `extend` need, every epoch; flushed to the disk now and then, and at the end."""
        flush = last or time.monotonic() - self._checkpoint_written >= CHECKPOINT_INTERVAL
        if flush:
            self._reporter.slow_step()
        variables = [variable.value.numpy() for variable in self._stage.partition.trained.variables]
        optimizer = [variable.value.numpy() for variable in self._fitter.optimizer.variables]
        save_checkpoint(self._folder, Checkpoint(state, self._last_epoch, variables, optimizer), flush=flush)
        if flush:
            self._checkpoint_written = time.monotonic()
        self._checkpoint_bytes = sum(array.nbytes for array in (*variables, *optimizer))

    def _prepare(self) -> None:
        def record_device(device: Device) -> None:
            update_run(self._folder.path, device=device.text)

        workspace = self._folder.workspace
        self._prepared = prepare(
            self._config, self._dataset_path, workspace, self._reporter, self._should_stop, record_device
        )
        classifier = self._prepared.classifier
        changed_from = self._prepared.frozen_layers if self._prepared.fine_tunes else len(classifier.base.layers)
        more = bytes_needed(classifier, changed_from, self._config.keep_last_epochs)
        require_room(self._folder.path, classifier, more)
        write_json(self._folder.labels_file, {"classes": list(self._prepared.dataset.classes)})

    def _train(self) -> None:
        config, base = self._config, self._prepared.classifier.base
        if self._state.phase == HEAD:
            freeze_layers(base)
            self._stage = prepare_phase(self._prepared, len(base.layers))
            self._fit(config.learning_rate, config.epochs, "Training the head on what the frozen backbone sees")
        if self._prepared.fine_tunes:
            freeze_layers(base, self._prepared.frozen_layers)
            stage = prepare_phase(self._prepared, self._prepared.frozen_layers)
            self._stage = stage
            if self._state.phase == HEAD:
                self._enter_fine_tuning()
            opened = len(base.layers) - self._prepared.frozen_layers
            self._fit(
                config.fine_tune_learning_rate,
                config.fine_tune_epochs,
                f"Fine-tuning the last {opened} layers of the backbone",
            )

    def _enter_fine_tuning(self) -> None:
        """The best of feature extraction is where fine-tuning starts, and what it has to beat."""
        self._kept.fine_tuning_begins(self._prepared.classifier, self._prepared.frozen_layers)
        before = self._state
        self._state = TrainerState(FINE_TUNE, before.next_epoch, before.batch_size, best=before.best)
        self._state.weights = snapshot(self._stage.partition.trained.variables)

    def _fit(self, learning_rate: float, epochs: int, text: str) -> None:
        """Train the current stage; ends with the weights of the best epoch so far."""
        self._load_watched_images()
        state, trained, first = self._state, self._stage.partition.trained, self._state.next_epoch
        examples = self._stage.train(first)
        steps = -(-len(examples) // state.batch_size)
        optimizer = build_optimizer(self._config, learning_rate, steps * epochs)
        self._fitter = EpochRunner(trained, optimizer, self._prepared.objective, self._should_stop)
        self._last_epoch = first + epochs - 1
        if self._checkpoint is not None:
            self._go_on_from(self._checkpoint)
        self._reporter.phase(
            state.phase, text, epochs=self._last_epoch - first + 1, steps=steps, first_epoch=first,
            trainable_parameters=_size(trained.trainable_variables),
        )  # fmt: skip
        plan = PhasePlan(self._stage.validation, self._last_epoch, self._stage.train)
        try:
            run_phase(
                self._config, plan, state, self._fitter,
                lambda: snapshot(trained.variables), self._reporter, self,
            )  # fmt: skip
        finally:
            if state.best is not None:
                restore(trained.variables, state.weights)
                self._best_in_place = True

    def _load_watched_images(self) -> None:
        images = read_watched(self._folder, self._prepared.classifier.image_size, self._reporter)
        self._watched = None if images is None else WatchedPictures(images, self._stage.partition)

    def _go_on_from(self, checkpoint: Checkpoint) -> None:
        restore(self._stage.partition.trained.variables, checkpoint.variables)
        restore(self._fitter.optimizer.variables, checkpoint.optimizer)
        self._last_epoch = checkpoint.last_epoch
        self._checkpoint = None
        self._reporter.note(f"Going on with epoch {checkpoint.state.next_epoch}.")

    def _keep_best(self, *, measure: bool) -> Best:
        """Save the best model with its metrics; its weights are in place when this is called."""
        best = self._state.best
        assert best is not None  # noqa: S101  # the callers have looked
        metrics: dict[str, Any] = {"best": asdict(best), "epochs": self._state.next_epoch - 1}
        results: dict[str, Result] = {}
        if measure:
            self._reporter.phase(EVALUATE, "Measuring the best model")
            results = self._measure()
            metrics |= {
                split: {"loss": result.loss, "accuracy": result.accuracy} for split, result in results.items()
            }
        self._reporter.phase(SAVE, "Saving the best model")
        written = self._written
        sha256 = written.sha256 if written is not None and written.best == best else self._write_model(best)
        self._kept.write()
        for split, result in results.items():
            probabilities = as_class_probabilities(result.probabilities)
            fingerprint = self._prepared.dataset.fingerprint
            save_probabilities(
                self._folder, split, probabilities, model_sha256=sha256, dataset_fingerprint=fingerprint
            )
        self._reporter.close_stage()
        write_json(self._folder.metrics_file, {**metrics, "seconds": self._reporter.seconds})
        return best

    def _measure(self) -> dict[str, Result]:
        splits = {"validation": self._stage.validation, "test": self._stage.test}
        began = time.monotonic()

        def too_long() -> bool:
            return self._should_stop() and time.monotonic() - began > MEASURED_AFTER_STOP

        try:
            return {
                split: self._fitter.evaluate(examples, should_stop=too_long)
                for split, examples in splits.items()
                if examples is not None
            }
        except Interrupted:
            self._reporter.note("The kept model is not measured any further; that is done when it is evaluated.")
            return {}

    def _leave_as_it_was(self, best: Best) -> tuple[str, Best]:
        """End a resumed training that has not gone on: its model may be there, or it can be resumed again."""
        run = load_run(self._folder.path)
        return "stopped" if run.has_model and run.best == best else "interrupted", best

    def _write_model(self, best: Best) -> str:
        prepared = self._prepared
        self._reporter.slow_step()

        def announce(sha256: str) -> None:
            update_run(self._folder.path, next_model=KeptModel(best=best, sha256=sha256))

        sha256 = save_classifier(
            self._folder.model_file, self._config, prepared.classifier, len(prepared.dataset.classes), announce
        )
        update_run(self._folder.path, best=best, model_sha256=sha256, next_model=None)
        self._model_written = time.monotonic()
        self._written = KeptModel(best=best, sha256=sha256)
        return sha256


def _size(variables: list[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)
