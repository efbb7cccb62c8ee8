"""The curves of a run as the rules need them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tl_core.backbones.outline import BackboneOutline, load_outline
from tl_core.config import TrainingConfig
from tl_core.config.phases import HEAD
from tl_core.figures.history import History
from tl_core.runs import RunRecord

Curve = npt.NDArray[np.float64]
"""One value per epoch, ``(epochs,)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """One run so far."""

    config: TrainingConfig
    outline: BackboneOutline
    classes: int
    validation_images: int
    finished: bool
    loss: Curve  # of the training images, mean per image
    val_loss: Curve
    accuracy: Curve  # 0-1, of the training images
    val_accuracy: Curve
    head_epochs: int  # how many of the epochs belong to feature extraction

    @property
    def epochs(self) -> int:
        """How many epochs there are."""
        return len(self.loss)

    @property
    def best(self) -> int:
        """Index of the epoch with the lowest validation loss."""
        return int(np.argmin(self.val_loss))

    @property
    def fine_tuning(self) -> bool:
        """Whether the last epoch belongs to fine-tuning."""
        return self.head_epochs < self.epochs

    @property
    def phase_start(self) -> int:
        """Index of the first epoch of the current phase."""
        return self.head_epochs if self.fine_tuning else 0


def curves_of(run: RunRecord, history: History) -> Curves:
    """Gather the input of the rules.

    Args:
        run: whose settings count.
        history: its events.
    """

    def column(name: str) -> Curve:
        return np.array([np.nan if value is None else value for value in history.column(name)], np.float64)

    return Curves(
        config=run.config,
        outline=load_outline(run.config.backbone),
        classes=len(run.classes),
        validation_images=run.split_counts.get("validation", 0),
        finished=history.finished,
        loss=column("loss"),
        val_loss=column("val_loss"),
        accuracy=column("accuracy"),
        val_accuracy=column("val_accuracy"),
        head_epochs=sum(phase == HEAD for phase in history.column("phase")),
    )
