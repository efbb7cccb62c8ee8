"""Lowers the learning rate where the validation loss no longer improves."""

from __future__ import annotations

from typing import ClassVar, Final

from tl_core.training.callbacks.early_stopping import Patience
from tl_core.training.trainer import EpochLogs, Trainer

FACTOR: Final = 0.3  # the rate is multiplied by this ...
PATIENCE: Final = 3  # ... after so many epochs without a better val_loss
MIN_LEARNING_RATE: Final = 1e-7


class ReduceLROnPlateau(Patience):
    """As Keras' callback of this name; the rate itself is saved with the optimizer."""

    name: ClassVar[str] = "reduce_lr_on_plateau"

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        super().on_epoch_end(trainer, epoch, logs)
        rate = trainer.learning_rate
        if trainer.stop_phase or self._wait < PATIENCE or rate <= MIN_LEARNING_RATE:
            return
        lower = max(MIN_LEARNING_RATE, rate * FACTOR)
        trainer.optimizer.learning_rate = lower
        self._wait = 0
        trainer.note(f"No better validation loss for {PATIENCE} epochs; the learning rate is now {lower:g}.")
