"""Trials that are whole trainings: the leader with its last blocks fine-tuned, and the published recipes.

They go through the trainer of every run, once per fold, and are judged by the same held-out images as the heads.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tl_core.backbones.outline import load_outline
from tl_core.config import AUGMENTATION_LEVELS, AugmentationConfig, TrainingConfig
from tl_core.config.phases import phases_of
from tl_core.config.presets import GOALS, PRESETS
from tl_core.data.dataset import Dataset, ImageRecord, fingerprint_of
from tl_core.errors import StoppedError
from tl_core.models.classifier import freeze_layers
from tl_core.models.probabilities import as_class_probabilities
from tl_core.search.heads import Array, Mask, Outcome, outcome_of
from tl_core.storage.workspace import Workspace
from tl_core.training.callbacks.best_model import BestModel
from tl_core.training.callbacks.early_stopping import EarlyStopping
from tl_core.training.callbacks.event_log import EventLogger
from tl_core.training.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from tl_core.training.data import prepare_phase
from tl_core.training.epoch_runner import Interrupted
from tl_core.training.setup import TrainingSetup, set_up_training
from tl_core.training.trainer import Callback, FitSettings, Trainer

FINE_TUNE_EPOCHS: Final = 10
FLIPS: Final = AugmentationConfig(horizontal_flip=True)
FLIPPED_VIEWS: Final = 2  # random views of each image where fine-tuning sees mirrored ones


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the leader is fine-tuned."""

    depth: str  # which layers stay frozen, by the name of `BackboneOutline.presets`
    rate: float
    flips: bool = False  # whether it sees mirrored images, too

    @property
    def title(self) -> str:
        """For people."""
        learns = {"all_but_last_block": "last block", "half": "second half"}[self.depth]
        return f"{learns} fine-tuned, rate {self.rate:g}{', mirrored images' * self.flips}"


TUNINGS: Final = (  # in the order in which they are tried
    Tuning("all_but_last_block", 1e-3),  # quick; half of the backbone gains more (docs/defaults.md)
    Tuning("half", 5e-4),
    Tuning("half", 5e-4, flips=True),
    Tuning("all_but_last_block", 1e-3, flips=True),
)


def tuned(config: TrainingConfig, tuning: Tuning) -> TrainingConfig:
    """A head's training with fine-tuning after it."""
    frozen = load_outline(config.backbone).presets()[tuning.depth]
    changed = replace(
        config, frozen_layers=frozen, fine_tune_epochs=FINE_TUNE_EPOCHS, fine_tune_learning_rate=tuning.rate
    )
    if tuning.flips and config.augmentation == AUGMENTATION_LEVELS["none"]:
        changed = replace(changed, augmentation=FLIPS, augmentation_mode="cached_views", views=FLIPPED_VIEWS)
    return changed


def recipes(classes: int) -> Iterator[tuple[str, TrainingConfig]]:
    """Title and settings of the published recipes; one for two classes takes a softmax where there are more."""
    for preset in PRESETS.values():
        if preset.name in GOALS:
            continue
        config = preset.config
        if config.head.output == "sigmoid" and classes != 2:
            config = replace(config, head=replace(config.head, output="softmax"))
        yield preset.title, config


@dataclass(frozen=True, slots=True)
class Measured:
    """What a whole training came to."""

    outcome: Outcome
    complete: bool  # whether every fold was trained to its end


def measure_training(
    config: TrainingConfig,
    dataset: Dataset,
    masks: Mask,
    workspace: Workspace,
    log: EventLogger,
    should_stop: Callable[[], bool],
    seconds: float,
) -> Measured | None:
    """Train once per fold, and ask each model about the images that it has not seen.

    Args:
        config: what to train.
        dataset: in the revision that the search is for; its test images are left out.
        masks: which training and validation images each fold holds out ``(folds, n)``, training images first.
        workspace: whose cache is used.
        log: told how far it is.
        should_stop: checked at every batch.
        seconds: that all folds may take together.

    Returns:
        How good it is; None where the time was over before each fold had an epoch.

    Raises:
        StoppedError: ``should_stop`` returned true.
        TransferLearningError: what stands against it, such as missing weights.
    """
    sums = np.zeros((masks.shape[1], len(dataset.classes)), np.float32)
    counts = np.zeros(len(sums), np.float32)
    complete, began = True, time.monotonic()
    for number, held_out in enumerate(masks, start=1):
        ends = began + seconds * number / len(masks)
        found = _train_fold(config, _fold(dataset, held_out), workspace, log, should_stop, ends)
        if found is None:
            return None
        probabilities, whole = found
        rows = np.flatnonzero(held_out)
        sums[rows] += probabilities
        counts[rows] += 1
        complete = complete and whole
    return Measured(_outcome(dataset, sums, counts), complete)


def _outcome(dataset: Dataset, sums: Array, counts: Array) -> Outcome:
    labels = np.array([image.label for image in _learned(dataset)], np.int64)
    rows = np.flatnonzero(counts)
    probabilities = sums[rows] / counts[rows, None]
    return outcome_of(probabilities, rows, labels[rows])


def _learned(dataset: Dataset) -> list[ImageRecord]:
    """Training images, then validation images, as features have them."""
    return [*dataset.of_split("train"), *dataset.of_split("validation")]


def _fold(dataset: Dataset, held_out: Mask) -> Dataset:
    """The same images, of which some are held out in place of the validation images; without the test images."""
    images = tuple(
        replace(image, split="validation" if out else "train")
        for image, out in zip(_learned(dataset), held_out, strict=True)
    )
    return replace(dataset, images=images, fingerprint=fingerprint_of(dataset.classes, images))


def _train_fold(
    config: TrainingConfig,
    dataset: Dataset,
    workspace: Workspace,
    log: EventLogger,
    should_stop: Callable[[], bool],
    ends: float,
) -> tuple[Array, bool] | None:
    """Probabilities of the held-out images, and whether the training came to its end; None without an epoch."""
    best, trainer, complete = BestModel(), None, True

    def stops() -> bool:
        return should_stop() or time.monotonic() > ends

    try:
        setup = set_up_training(config, dataset, workspace, log, stops)
        trainer = _trainer(config, setup, best, stops)
        for phase in phases_of(config, len(setup.classifier.base.layers)):
            freeze_layers(setup.classifier.base, phase.frozen_layers)
            trainer.fit(phase, prepare_phase(setup, phase))
    except (Interrupted, StoppedError):
        if should_stop():
            raise StoppedError("Stopped.") from None
        complete = False
    if trainer is None or best.best is None or not best.in_place:
        return None
    answers = trainer.evaluate(trainer.data.validation, lambda: False).probabilities
    gc.collect()  # models refer to themselves in circles
    return as_class_probabilities(answers), complete


def _trainer(
    config: TrainingConfig, setup: TrainingSetup, best: BestModel, should_stop: Callable[[], bool]
) -> Trainer:
    callbacks: list[Callback] = [best, EarlyStopping(config.early_stopping_patience)]
    if config.schedule == "plateau":
        callbacks.append(ReduceLROnPlateau())
    steps = FitSettings(config.batch_size, config.optimizer, config.weight_decay, config.schedule, config.seed)
    return Trainer(steps, setup.loss, callbacks, should_stop)
