"""The rules, most urgent first: the first that applies is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from tl_core.advice.curves import Curves
from tl_core.config import AUGMENTATION_LEVELS, TrainingConfig
from tl_core.config.training import LEARNING_RATE_RANGE, MAX_EPOCHS

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


@dataclass(frozen=True, slots=True)
class Remark:
    """Advice on a run."""

    rule: str  # its name
    text: str  # one or two sentences
    action: str | None  # label of the button that opens the form with the change
    config: TrainingConfig | None  # the settings to try


@dataclass(frozen=True, slots=True)
class Advice:
    """The text of a rule, and the change it suggests."""

    text: str
    action: str | None = None
    config: TrainingConfig | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """When a rule applies, and its remark."""

    name: str
    applies: Callable[[Curves], bool]
    advice: Callable[[Curves], Advice]


def remark_on(curves: Curves) -> Remark | None:
    """The most urgent remark, or None where no rule applies."""
    if curves.epochs < MIN_EPOCHS or not np.isfinite(curves.loss).all() or not np.isfinite(curves.val_loss).all():
        return None
    rule = next((rule for rule in RULES if rule.applies(curves)), None)
    if rule is None:
        return None
    advice = rule.advice(curves)
    changes = advice.config != curves.config
    return Remark(rule.name, advice.text, advice.action if changes else None, advice.config if changes else None)


# Out of control: the training loss itself has risen.


def _blows_up(curves: Curves) -> bool:
    phase = curves.loss[curves.phase_start :]
    return len(phase) >= PATIENCE and bool(phase[-1] > BLOW_UP * phase.min() and phase[-1] > phase[-2])


def _rate(curves: Curves) -> float:
    return curves.config.fine_tune_learning_rate if curves.fine_tuning else curves.config.learning_rate


def _with_rate(curves: Curves, factor: float) -> TrainingConfig:
    low, high = LEARNING_RATE_RANGE
    rate = float(np.clip(float(f"{_rate(curves) * factor:.3g}"), low, high))
    name = "fine_tune_learning_rate" if curves.fine_tuning else "learning_rate"
    change: dict[str, Any] = {name: rate}
    return replace(curves.config, **change)


def _lower_the_rate(curves: Curves) -> Advice:
    phase = curves.loss[curves.phase_start :]
    lowest = curves.phase_start + int(np.argmin(phase)) + 1
    text = (
        f"The training loss has risen from {phase.min():.2g} in epoch {lowest} to {phase[-1]:.2g}: the steps are too "
        "large. Try a learning rate ten times lower."
    )
    return Advice(text, f"Try {_rate(curves) / 10:.3g}", _with_rate(curves, 0.1))


# Off from the start: the first epoch was far worse than guessing.


def _starts_wild(curves: Curves) -> bool:
    guessing = float(np.log(max(2, curves.classes)))
    first = curves.loss[curves.phase_start]
    return bool(first > WILD * guessing and curves.accuracy[-1] < GOOD)


def _much_lower_rate(curves: Curves) -> Advice:
    rate = min(SAFE_RATE, _rate(curves) / 10)
    text = (
        f"The loss began at {curves.loss[curves.phase_start]:,.0f}, far above that of guessing "
        f"({np.log(max(2, curves.classes)):.1f}): the learning rate is far too high. Try {rate:.3g}."
    )
    return Advice(text, f"Try {rate:.3g}", _with_rate(curves, rate / _rate(curves)))


# Under-fitting: no better than guessing.


def _learns_nothing(curves: Curves) -> bool:
    guessing = 1 / max(2, curves.classes) + CLOSE
    return bool(
        curves.epochs >= 2 * MIN_EPOCHS and curves.val_accuracy.max() < guessing and curves.accuracy[-1] < guessing
    )


def _look_at_the_images(curves: Curves) -> Advice:
    larger = _rate(curves) < 1e-2
    text = (
        f"After {curves.epochs} epochs the model is no better than guessing ({curves.val_accuracy[-1]:.0%} of "
        f"{curves.classes} classes). Check that the folders hold what their names say, and try a "
        f"{'larger' if larger else 'smaller'} learning rate."
    )
    return Advice(text, "Try that rate", _with_rate(curves, 10 if larger else 0.1))


# Fine-tuning in vain.


def _fine_tunes_in_vain(curves: Curves) -> bool:
    if not curves.fine_tuning or curves.epochs - curves.head_epochs < PATIENCE or not curves.head_epochs:
        return False
    head, tuned = curves.val_loss[: curves.head_epochs], curves.val_loss[curves.head_epochs :]
    return bool(tuned.min() >= head.min())


def _tune_more_gently(curves: Curves) -> Advice:
    text = (
        f"Fine-tuning has not improved on feature extraction: the kept model is epoch {curves.best + 1}. "
        "Try a fine-tuning rate ten times lower."
    )
    return Advice(text, f"Try {_rate(curves) / 10:.3g}", _with_rate(curves, 0.1))


# Over-fitting: validation gets worse while training improves.


def _overfits(curves: Curves) -> bool:
    best, last = curves.best, curves.epochs - 1
    return bool(
        last - best >= max(PATIENCE, curves.epochs // 10)
        and np.median(curves.val_loss[-PATIENCE:]) > RISE * curves.val_loss[best]
        and curves.loss[last] < FALL * curves.loss[best]
    )


def _hold_against_it(curves: Curves) -> Advice:
    best = curves.best + 1
    text, action, config = _what_was_not_tried(curves)
    return Advice(
        f"Validation loss has risen since epoch {best} while training loss falls: over-fitting; the kept model is "
        f"epoch {best}. {text}",
        action,
        config,
    )


def _what_was_not_tried(curves: Curves) -> tuple[str, str, TrainingConfig]:
    """What holds best against over-fitting among what is not in use: the sentence, the button, the settings."""
    config = curves.config
    if not config.augmentation.enabled:
        change = replace(config, augmentation=AUGMENTATION_LEVELS["medium"], augmentation_mode="cached_views")
        return "Try augmentation: more views of each image.", "Try augmentation", change
    if config.head.dropout < DROPOUT:
        change = replace(config, head=replace(config.head, dropout=DROPOUT))
        return f"Try a dropout of {DROPOUT}.", f"Try dropout {DROPOUT}", change
    if curves.fine_tuning:
        return "Try it with more frozen layers.", "Freeze all layers", replace(config, frozen_layers=None)
    change = replace(config, early_stopping_patience=10)
    return "More images would help most, then early stopping.", "Try early stopping", change


# Not done yet: it was still getting better.


def _still_improves(curves: Curves) -> bool:
    if not curves.finished or curves.best != curves.epochs - 1:
        return False
    since = curves.epochs - max(2, curves.epochs // 5)
    return bool(curves.val_loss[-1] < (1 - STILL_FALLING) * curves.val_loss[since - 1])


def _more_epochs(curves: Curves) -> Advice:
    config = curves.config
    name = "fine_tune_epochs" if curves.fine_tuning else "epochs"
    text = (
        f"The validation loss was still falling when the training ended with epoch {curves.epochs}: the model is not "
        "done learning. Give it twice as many epochs."
    )
    change: dict[str, Any] = {name: min(MAX_EPOCHS, 2 * getattr(config, name))}
    return Advice(text, "Twice the epochs", replace(config, **change))


# Too little capacity: even the training images are not separated.


def _underfits(curves: Curves) -> bool:
    return bool(
        curves.finished
        and curves.accuracy[-1] < GOOD
        and abs(curves.accuracy[-1] - curves.val_accuracy[-1]) < CLOSE
        and not curves.fine_tuning
    )


def _unfreeze(curves: Curves) -> Advice:
    text = (
        f"Only {curves.accuracy[-1]:.0%} of the images it learns from are right, and hardly more can be expected of "
        "new ones: the frozen features are not enough. Unfreeze the last block and fine-tune it."
    )
    frozen = curves.outline.presets()["all_but_last_block"]
    deeper = replace(curves.config, frozen_layers=frozen, fine_tune_epochs=FINE_TUNE_EPOCHS)
    return Advice(text, "Fine-tune it", deeper)


# Too few validation images.


def _few_validation_images(curves: Curves) -> bool:
    return curves.finished and 0 < curves.validation_images < FEW_VALIDATION_IMAGES


def _mind_the_noise(curves: Curves) -> Advice:
    count = curves.validation_images
    return Advice(
        f"There are only {count} validation images: one of them is {100 / count:.0f} points of accuracy, so small "
        "differences between runs mean little."
    )


RULES: Final[tuple[Rule, ...]] = (
    Rule("loss blows up", _blows_up, _lower_the_rate),
    Rule("wild start", _starts_wild, _much_lower_rate),
    Rule("nothing learned", _learns_nothing, _look_at_the_images),
    Rule("fine-tuning in vain", _fine_tunes_in_vain, _tune_more_gently),
    Rule("over-fitting", _overfits, _hold_against_it),
    Rule("still improving", _still_improves, _more_epochs),
    Rule("under-fitting", _underfits, _unfreeze),
    Rule("few validation images", _few_validation_images, _mind_the_noise),
)
