"""Lowers the learning rate where the validation loss no longer improves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tl_core.training.callbacks import Callback

if TYPE_CHECKING:
    from tl_core.training.trainer import EpochLogs, Trainer

FACTOR: Final = 0.3  # the rate is multiplied by this ...
PATIENCE: Final = 3  # ... after so many epochs without a better val_loss
MIN_LEARNING_RATE: Final = 1e-7


class ReduceLROnPlateau(Callback):
    """As Keras' callback of this name; the rate itself is saved with the optimizer."""

    name: ClassVar[str] = "reduce_lr_on_plateau"

    def __init__(self) -> None:
        self._best = math.inf  # val_loss of this phase
        self._wait = 0  # epochs since then or since the rate was lowered

    def on_phase_begin(self, trainer: Trainer) -> None:
        """Reset the counter, or go on."""
        if not trainer.resumed:
            self._best, self._wait = math.inf, 0

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        """Count, and lower the rate where patience has run out."""
        better = logs.validation.loss < self._best
        self._best, self._wait = (logs.validation.loss, 0) if better else (self._best, self._wait + 1)
        rate = trainer.learning_rate
        if trainer.stop_phase or self._wait < PATIENCE or rate <= MIN_LEARNING_RATE:
            return
        lower = max(MIN_LEARNING_RATE, rate * FACTOR)
        trainer.optimizer.learning_rate = lower
        self._wait = 0
        trainer.note(f"No better validation loss for {PATIENCE} epochs; the learning rate is now {lower:g}.")

    def state_dict(self) -> dict[str, Any]:
        """The counter."""
        return {"best": self._best, "wait": self._wait}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The counter."""
        self._best, self._wait = float(state["best"]), int(state["wait"])
