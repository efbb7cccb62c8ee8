"""The events of a training, at a bounded rate, and the time each stage took."""

from __future__ import annotations

import math
import time
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.runs import Best, EventLog
from tl_core.runs.heartbeat import Heartbeat
from tl_core.training.epoch_runner import Batches
from tl_core.training.trainer import Callback, EpochLogs, Trainer

# The stages around the phases of training, which have the names of `tl_core.config.phases`.
PREPARE: Final = "prepare"
FEATURES: Final = "features"
EVALUATE: Final = "evaluate"
SAVE: Final = "save"

PROBABILITY_DIGITS: Final = 4  # of a watched image; more would not be visible

_WITHOUT_BATCHES: Final = (PREPARE, EVALUATE, SAVE)
_INTERVAL: Final = 0.25  # seconds between two batch or progress events


class EventLogger(Callback):
    """Writes the events of one run, and tells its heartbeat before a slow step."""

    def __init__(self, events: EventLog, heartbeat: Heartbeat) -> None:
        self._events = events
        self._heartbeat = heartbeat
        self._stage = PREPARE
        self._stage_began = time.monotonic()
        self._told = -_INTERVAL
        self._waiting: list[Batches] = []  # trained on since the last batch event
        self._waiting_since = 0.0
        self.seconds: dict[str, float] = {}  # by stage

    def begin(self, stage: str, text: str, **values: Any) -> None:
        """A new stage begins."""
        self.close_stage()
        self._stage = stage
        self._events.write("phase", phase=stage, text=text, **values)
        self._heartbeat.enter(slow=stage in _WITHOUT_BATCHES)

    def close_stage(self) -> None:
        """Add the time since the last stage began to that stage."""
        now = time.monotonic()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._stage_began
        self._stage_began = now

    def slow_step(self) -> None:
        """What comes next takes a while and can give no heartbeat: compiling, a first batch, writing a file."""
        self._heartbeat.slow_step()

    def progress(self, done: int, total: int, images_per_second: float | None = None) -> None:
        """So much of the current stage is done; the beginning and the last piece are always written."""
        if done in (0, total) or done > total or self._due():
            self._events.write(
                "progress", phase=self._stage, done=done, total=total, images_per_second=images_per_second
            )
        if done >= total:
            self.slow_step()  # what was made is now written to the disk

    def note(self, text: str) -> None:
        """A decision or a warning, as text."""
        self._events.write("note", text=text)

    def cached(self, entry: str, frozen_layers: int) -> None:
        """The outputs of the first layers for the images are in the cache under this name."""
        self._events.write("kept", entry=entry, frozen_layers=frozen_layers)

    def watched(self, epoch: int, probabilities: npt.NDArray[np.float32]) -> None:
        """Probabilities of the watched images after this epoch, ``(images, classes)``."""
        rows = [
            [round(value, PROBABILITY_DIGITS) if math.isfinite(value) else None for value in row]
            for row in probabilities.tolist()
        ]
        self._events.write("pinned", epoch=epoch, probabilities=rows)

    def end(self, status: str, text: str) -> None:
        """The run is over."""
        self._events.write("end", status=status, text=text)

    def on_phase_begin(self, trainer: Trainer) -> None:
        first = trainer.epoch + 1
        if trainer.resumed:
            self.note(f"Going on with epoch {first}.")
        trainable = trainer.data.trained.trainable_variables
        self.begin(
            trainer.phase.name,
            trainer.data.text,
            epochs=trainer.last_epoch - first + 1,
            steps=trainer.steps,
            first_epoch=first,
            trainable_parameters=sum(math.prod(variable.shape) for variable in trainable),
        )

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Forget the batches of an epoch that was broken off."""
        self._waiting, self._waiting_since = [], time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, batches: Batches) -> None:
        """Sum the batches up and write them at most four times a second."""
        self._waiting.append(batches)
        if not self._due():
            return
        images = sum(entry.images for entry in self._waiting)
        self._events.write(
            "batch",
            phase=trainer.phase.name,
            epoch=trainer.epoch + 1,
            batch=batches.done,
            batches=batches.total,
            loss=sum(entry.loss * entry.images for entry in self._waiting) / images,
            accuracy=sum(entry.accuracy * entry.images for entry in self._waiting) / images,
            images_per_second=images / max(1e-6, time.monotonic() - self._waiting_since),
        )
        self._waiting, self._waiting_since = [], time.monotonic()

    def on_test_begin(self, trainer: Trainer) -> None:
        """In the first epoch of a phase the graph that checks is traced."""
        if trainer.epochs_run == 0:
            self.slow_step()

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        self._events.write(
            "epoch",
            phase=trainer.phase.name,
            epoch=epoch,
            epochs=trainer.last_epoch,
            loss=logs.train.loss,
            accuracy=logs.train.accuracy,
            val_loss=logs.validation.loss,
            val_accuracy=logs.validation.accuracy,
            learning_rate=logs.learning_rate,
            seconds=logs.seconds,
            best=trainer.best is not None and trainer.best.epoch == epoch,
        )

    def on_note(self, trainer: Trainer, text: str) -> None:
        self.note(text)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._told < _INTERVAL:
            return False
        self._told = now
        return True


def describe(best: Best) -> str:
    """What a finished run achieved, in one sentence."""
    return f"{100 * best.val_accuracy:.1f} % of the validation images right; the model of epoch {best.epoch} is kept."
