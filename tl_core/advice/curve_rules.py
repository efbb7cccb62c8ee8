"""Advice on the curves of a run: at most two sentences, and the change to try next.

`RULES` has the rules, most urgent first; the first that applies is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.config import AUGMENTATION_LEVELS, TrainingConfig
from tl_core.config.phases import HEAD, layers_of
from tl_core.config.training import LEARNING_RATE_RANGE, MAX_EPOCHS
from tl_core.figures.history import History
from tl_core.runs import RunRecord
from tl_core.storage.format import number, percent, scientific

MIN_EPOCHS: Final = 4  # before that a curve is too short to judge
RISE: Final = 1.05  # a validation loss this many times its lowest has risen
FALL: Final = 0.95  # a training loss this many times its value at the best epoch has fallen
PATIENCE: Final = 3  # epochs since the best one before a rise counts
BLOW_UP: Final = 1.5  # a training loss this many times its lowest is out of control
CLOSE: Final = 0.05  # accuracies this near are the same
GOOD: Final = 0.9  # training accuracy from which there is nothing to complain about
STILL_FALLING: Final = 0.02  # share that the validation loss fell over the last fifth
FEW_VALIDATION_IMAGES: Final = 30
FINE_TUNE_EPOCHS: Final = 10
DROPOUT: Final = 0.5
WILD: Final = 4  # times the loss of guessing; a first epoch above it was thrown about by its own steps
SAFE_RATE: Final = 2e-3

Curve = npt.NDArray[np.float64]
"""One value per epoch, ``(epochs,)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """One run so far."""

    config: TrainingConfig
    layers: int | None  # of the backbone; None of a network that was deleted since
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
    """Gather the input of the rules from a run and its events."""

    def column(name: str) -> Curve:
        return np.array([np.nan if value is None else value for value in history.column(name)], np.float64)

    return Curves(
        config=run.config,
        layers=layers_of(run.config.backbone),
        classes=len(run.classes),
        validation_images=run.split_counts.get("validation", 0),
        finished=history.finished,
        loss=column("loss"),
        val_loss=column("val_loss"),
        accuracy=column("accuracy"),
        val_accuracy=column("val_accuracy"),
        head_epochs=sum(phase == HEAD for phase in history.column("phase")),
    )


@dataclass(frozen=True, slots=True)
class Remark:
    """Advice on a run."""

    text: str  # one or two sentences
    action: str | None = None  # label of the button that opens the form with the change
    config: TrainingConfig | None = None  # the settings to try
    rule: str = ""  # its name
    more_images: bool = False  # whether these help, and no other settings


Rule = Callable[[Curves], Remark | None]
"""Its remark, or None where it does not apply."""


def remark_on(curves: Curves) -> Remark | None:
    """The most urgent remark, or None where no rule applies."""
    if curves.epochs < MIN_EPOCHS or not np.isfinite(curves.loss).all() or not np.isfinite(curves.val_loss).all():
        return None
    for name, rule in RULES.items():
        if remark := rule(curves):
            changes = remark.config != curves.config
            return replace(remark if changes else Remark(remark.text, more_images=remark.more_images), rule=name)
    return None


def _rate(curves: Curves) -> float:
    return curves.config.fine_tune_learning_rate if curves.fine_tuning else curves.config.learning_rate


def _with_rate(curves: Curves, text: str, factor: float, action: str | None = None) -> Remark:
    """Advice to try the learning rate of the current phase times ``factor``."""
    low, high = LEARNING_RATE_RANGE
    rate = float(np.clip(float(f"{_rate(curves) * factor:.3g}"), low, high))
    change: dict[str, Any] = {"fine_tune_learning_rate" if curves.fine_tuning else "learning_rate": rate}
    return Remark(text, action or f"Try {scientific(rate)}", replace(curves.config, **change))


def _loss_blows_up(curves: Curves) -> Remark | None:
    """Out of control: the training loss itself has risen."""
    phase = curves.loss[curves.phase_start :]
    if len(phase) < PATIENCE or phase[-1] <= BLOW_UP * phase.min() or phase[-1] <= phase[-2]:
        return None
    lowest = curves.phase_start + int(np.argmin(phase)) + 1
    text = (
        f"The training loss has risen from {number(phase.min(), 2)} in epoch {lowest} to {number(phase[-1], 2)}: the "
        "steps are too large. Try a learning rate ten times lower."
    )
    return _with_rate(curves, text, 0.1)


def _wild_start(curves: Curves) -> Remark | None:
    """Off from the start: the first epoch was far worse than guessing."""
    guessing, first = float(np.log(max(2, curves.classes))), curves.loss[curves.phase_start]
    if not (first > WILD * guessing and curves.accuracy[-1] < GOOD):
        return None
    rate = min(SAFE_RATE, _rate(curves) / 10)
    text = (
        f"The loss began at {first:,.0f}, far above that of guessing ({guessing:.1f}): the learning rate is far too "
        f"high. Try {scientific(rate)}."
    )
    return _with_rate(curves, text, rate / _rate(curves))


def _nothing_learned(curves: Curves) -> Remark | None:
    """Under-fitting: no better than guessing."""
    guessing = 1 / max(2, curves.classes) + CLOSE
    guesses = curves.val_accuracy.max() < guessing and curves.accuracy[-1] < guessing
    if curves.epochs < 2 * MIN_EPOCHS or not guesses:
        return None
    larger = _rate(curves) < 1e-2
    text = (
        f"After {curves.epochs} epochs the model is no better than guessing among {curves.classes} classes "
        f"({percent(curves.val_accuracy[-1], 0)} right). Check that the folders hold what their names say, and try a "
        f"{'larger' if larger else 'smaller'} learning rate."
    )
    return _with_rate(curves, text, 10 if larger else 0.1, "Try that rate")


def _fine_tuning_in_vain(curves: Curves) -> Remark | None:
    """Fine-tuning has not improved on feature extraction."""
    if not curves.fine_tuning or curves.epochs - curves.head_epochs < PATIENCE or not curves.head_epochs:
        return None
    if curves.val_loss[curves.head_epochs :].min() < curves.val_loss[: curves.head_epochs].min():
        return None
    text = (
        f"Fine-tuning has not improved on feature extraction: the kept model is epoch {curves.best + 1}. "
        "Try a fine-tuning rate ten times lower."
    )
    return _with_rate(curves, text, 0.1)


def _over_fitting(curves: Curves) -> Remark | None:
    """Validation gets worse while training improves; advises what is not in use and holds best against it."""
    best, last, config = curves.best, curves.epochs - 1, curves.config
    risen = np.median(curves.val_loss[-PATIENCE:]) > RISE * curves.val_loss[best]
    still_learning = curves.loss[last] < FALL * curves.loss[best]
    if last - best < max(PATIENCE, curves.epochs // 10) or not (risen and still_learning):
        return None
    text = (
        f"Validation loss has risen since epoch {best + 1} while training loss falls: over-fitting; the kept model "
        f"is epoch {best + 1}. "
    )
    if not config.augmentation.enabled:
        change = replace(config, augmentation=AUGMENTATION_LEVELS["medium"], augmentation_mode="cached_views")
        return Remark(text + "Try augmentation: more views of each image.", "Try augmentation", change)
    if config.head.dropout < DROPOUT:
        change = replace(config, head=replace(config.head, dropout=DROPOUT))
        return Remark(text + f"Try a dropout of {DROPOUT}.", f"Try dropout {DROPOUT}", change)
    if curves.fine_tuning:
        change = replace(config, frozen_layers=None)
        return Remark(text + "Try it with more frozen layers.", "Freeze all layers", change)
    change = replace(config, early_stopping_patience=10)
    return Remark(text + "More images would help most, then early stopping.", "Try early stopping", change)


def _still_improving(curves: Curves) -> Remark | None:
    """Not done yet: it was still getting better."""
    since = curves.epochs - max(2, curves.epochs // 5)
    falling = curves.val_loss[-1] < (1 - STILL_FALLING) * curves.val_loss[since - 1]
    if not curves.finished or curves.best != curves.epochs - 1 or not falling:
        return None
    name = "fine_tune_epochs" if curves.fine_tuning else "epochs"
    text = (
        f"The validation loss was still falling when the training ended with epoch {curves.epochs}: it has not "
        "finished learning. Give it twice as many epochs."
    )
    change: dict[str, Any] = {name: min(MAX_EPOCHS, 2 * getattr(curves.config, name))}
    return Remark(text, "Twice the epochs", replace(curves.config, **change))


def _under_fitting(curves: Curves) -> Remark | None:
    """Too little capacity: even the training images are not separated."""
    accuracy = curves.accuracy[-1]
    close = abs(accuracy - curves.val_accuracy[-1]) < CLOSE
    if not curves.finished or curves.fine_tuning or accuracy >= GOOD or not close:
        return None
    text = (
        f"Only {percent(accuracy, 0)} of the images it learns from are right, and hardly more can be expected of "
        "new ones: the frozen features are not enough. Unfreeze half of the backbone and fine-tune it."
    )
    if curves.layers is None:
        return Remark(text)
    frozen = curves.layers // 2
    return Remark(
        text, "Fine-tune it", replace(curves.config, frozen_layers=frozen, fine_tune_epochs=FINE_TUNE_EPOCHS)
    )


def _few_validation_images(curves: Curves) -> Remark | None:
    count = curves.validation_images
    if not curves.finished or not 0 < count < FEW_VALIDATION_IMAGES:
        return None
    return Remark(
        f"There are only {count} validation images: one of them is {100 / count:.0f} points of accuracy, so small "
        "differences between runs mean little.",
        more_images=True,
    )


RULES: Final[Mapping[str, Rule]] = {
    "loss blows up": _loss_blows_up,
    "wild start": _wild_start,
    "nothing learned": _nothing_learned,
    "fine-tuning in vain": _fine_tuning_in_vain,
    "over-fitting": _over_fitting,
    "still improving": _still_improving,
    "under-fitting": _under_fitting,
    "few validation images": _few_validation_images,
}
