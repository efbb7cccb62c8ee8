"""Keeps the epoch with the lowest validation loss: its weights in memory, and its model on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, ClassVar, Final

import keras
import numpy.typing as npt

from tl_core.models.classifier import Classifier
from tl_core.runs import Best, RunFolder, update_run
from tl_core.runs.record import KeptModel
from tl_core.training.saving import restore, save_model, snapshot
from tl_core.training.trainer import Callback, EpochLogs, Trainer

MODEL_INTERVAL: Final = 30.0  # seconds between two writings of the best model


class BestModel(Callback):
    """Chooses the best epoch over all phases, and ends each phase with its weights in place."""

    name: ClassVar[str] = "best_model"

    def __init__(self) -> None:
        self.in_place = False  # the classifier has the weights of the best epoch
        self.best: Best | None = None  # over all phases
        self._weights: list[npt.NDArray[Any]] = []  # of the best epoch: all variables of the trained part
        self._current = False  # the latest epoch is the best one
        self._outdated = False  # the figures of the best epoch are those of an earlier version

    def on_phase_begin(self, trainer: Trainer) -> None:
        """The best epoch so far is where a phase begins, and what it has to beat."""
        if self.best is not None and (self._current or not trainer.resumed):
            self._weights = snapshot(trainer.variables)
        if self.best is not None and self._outdated:
            self.best = self._measured_again(trainer, self.best)
        trainer.best = self.best

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        loss, accuracy = logs.validation.loss, logs.validation.accuracy
        self.in_place = False
        self._current = self.best is None or loss < self.best.val_loss
        if self._current:
            self.best = Best(epoch=epoch, phase=trainer.phase.name, val_loss=loss, val_accuracy=accuracy)
            self._weights = snapshot(trainer.variables)
            trainer.best = self.best

    def on_phase_end(self, trainer: Trainer) -> None:
        if self.best is not None:
            restore(trainer.variables, self._weights)
            self.in_place = True
            self._current = False

    def _measured_again(self, trainer: Trainer, best: Best) -> Best:
        """Version 1 did not weigh the classes, and took features of less precision: epochs are compared again."""
        latest = snapshot(trainer.variables)
        restore(trainer.variables, self._weights)
        checked = trainer.evaluate(trainer.data.validation)
        restore(trainer.variables, latest)
        self._outdated = False
        return replace(best, val_loss=checked.loss, val_accuracy=checked.accuracy)

    def state_dict(self) -> dict[str, Any]:
        """The best epoch; its weights only where the checkpoint does not hold them as those of its latest epoch."""
        best = self.best and asdict(self.best)
        return {"best": best, "current": self._current, "weights": [] if self._current else self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best = state["best"] and Best(**state["best"])
        self._current, self._weights = bool(state["current"]), list(state["weights"])
        self._outdated = bool(state.get("outdated"))


class SaveBestModel(Callback):
    """Writes the model of the best epoch into the run's folder: now and then, and at the end."""

    def __init__(
        self,
        folder: RunFolder,
        classifier: Classifier,
        rebuild: Callable[[keras.Model], Classifier],
        slow_step: Callable[[], None],
        needed_now: Callable[[], bool],
    ) -> None:
        self._folder = folder
        self._classifier = classifier  # in training
        self._rebuild = rebuild  # returns the same classifier on another backbone
        self._slow_step = slow_step  # called before a file is written
        self._needed_now = needed_now  # whether the model has to be on the disk without further waiting
        self._written: KeptModel | None = None
        self._last = time.monotonic()

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        """Write it, if it has just become better and the last writing was long ago."""
        best = trainer.best
        due = time.monotonic() - self._last >= MODEL_INTERVAL or self._needed_now()
        if best is not None and best.epoch == epoch and due:
            self.write(best)

    def on_train_end(self, trainer: Trainer) -> None:
        """Write it, or the figures alone that were measured since."""
        best = trainer.best
        if best is None:
            return
        written = self._written
        if written is None or written.best.epoch != best.epoch:
            self.write(best)
        elif written.best != best:
            self._written = KeptModel(best=best, sha256=written.sha256)
            update_run(self._folder.path, best=best)

    def stored_form(self) -> Classifier:
        """The classifier as it is saved: mixed precision is for training on one device, the file is for any.

        Returns:
            The classifier in training itself where it calculates in float32.
        """
        policy = keras.config.dtype_policy()
        if policy.name == "float32":
            return self._classifier

        def in_float32(layer: keras.Layer) -> keras.Layer:
            return layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})

        keras.config.set_dtype_policy("float32")
        try:
            plain = self._rebuild(keras.models.clone_model(self._classifier.base, clone_function=in_float32))
        finally:
            keras.config.set_dtype_policy(policy)
        plain.model.set_weights(self._classifier.model.get_weights())
        return plain

    @property
    def sha256(self) -> str:
        """Of the file that was written last; empty before."""
        return self._written.sha256 if self._written else ""

    def write(self, best: Best) -> None:
        """Write the model, whose weights are in place; its record is announced first, and follows it.

        Raises:
            WorkspaceError: the workspace cannot be written.
            TrainingError: the weights are not finite, or the file cannot be read back.
        """
        self._slow_step()

        def announce(sha256: str) -> None:
            update_run(self._folder.path, next_model=KeptModel(best=best, sha256=sha256))

        sha256 = save_model(self._folder.model_file, self.stored_form().model, announce)
        update_run(self._folder.path, best=best, model_sha256=sha256, next_model=None)
        self._written = KeptModel(best=best, sha256=sha256)
        self._last = time.monotonic()
