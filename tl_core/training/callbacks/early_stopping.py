"""Ends a phase whose validation loss no longer improves."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from tl_core.training.trainer import Callback, EpochLogs, Trainer


class Patience(Callback):
    """Counts the epochs of a phase without a better ``val_loss``."""

    def __init__(self) -> None:
        self._best = math.inf  # val_loss of this phase
        self._wait = 0  # epochs since then

    def on_phase_begin(self, trainer: Trainer) -> None:
        if not trainer.resumed:
            self._best, self._wait = math.inf, 0

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        better = logs.validation.loss < self._best
        self._best, self._wait = (logs.validation.loss, 0) if better else (self._best, self._wait + 1)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "wait": self._wait}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._best, self._wait = float(state["best"]), int(state["wait"])


class EarlyStopping(Patience):
    """As Keras' callback of this name; `BestModel` keeps the best weights."""

    name: ClassVar[str] = "early_stopping"

    def __init__(self, patience: int | None) -> None:
        """A phase ends after so many epochs without a better ``val_loss``; None = it never does."""
        super().__init__()
        self._patience = math.inf if patience is None else patience

    def on_phase_begin(self, trainer: Trainer) -> None:
        """A phase that had ended when it was interrupted ends at once."""
        super().on_phase_begin(trainer)
        trainer.stop_phase = self._wait >= self._patience

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        super().on_epoch_end(trainer, epoch, logs)
        if self._wait >= self._patience:
            trainer.stop_phase = True
            trainer.note(f"No better validation loss for {self._wait} epochs, so this phase ends early.")
