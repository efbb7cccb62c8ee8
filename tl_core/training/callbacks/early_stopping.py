"""Ends a phase whose validation loss no longer improves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from tl_core.training.callbacks import Callback

if TYPE_CHECKING:
    from tl_core.training.trainer import EpochLogs, Trainer


class EarlyStopping(Callback):
    """As Keras' callback of this name; `BestModel` keeps the best weights."""

    name: ClassVar[str] = "early_stopping"

    def __init__(self, patience: int | None) -> None:
        """Begin.

        Args:
            patience: epochs without a better ``val_loss`` before the phase ends; None = it never does.
        """
        self._patience = patience
        self._best = math.inf  # val_loss of this phase
        self._wait = 0  # epochs since then

    def on_phase_begin(self, trainer: Trainer) -> None:
        """Reset the counter, or go on; a phase that had ended when it was interrupted ends at once."""
        if not trainer.resumed:
            self._best, self._wait = math.inf, 0
        trainer.stop_phase = self._exhausted

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        """Update the counter."""
        better = logs.validation.loss < self._best
        self._best, self._wait = (logs.validation.loss, 0) if better else (self._best, self._wait + 1)
        if self._exhausted:
            trainer.stop_phase = True
            trainer.note(f"No better validation loss for {self._wait} epochs, so this phase ends early.")

    @property
    def _exhausted(self) -> bool:
        return self._patience is not None and self._wait >= self._patience

    def state_dict(self) -> dict[str, Any]:
        """The counter."""
        return {"best": self._best, "wait": self._wait}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The counter."""
        self._best, self._wait = float(state["best"]), int(state["wait"])
