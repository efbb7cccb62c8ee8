"""Heads trained as a run's own was, on other parts of its images: what accuracy its settings reach.

Every image is asked of a head that has not seen it, several times over. A repetition divides the images into folds,
the classes evenly among them, and what shows the same on one side (scikit-learn's `StratifiedGroupKFold`). Each fold
in turn is asked about; the one after it chooses the epoch, as validation images do; all others are learned from. So
the answers to the fold that is asked about have no part in any choice.

The backbone runs over no image again where its outputs are kept: folds are rows of these. Random changes of the
images are left out, and so is fine-tuning, which would take as long as the training for each fold.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from tl_core.backbones.pool import release_backbone
from tl_core.config import AugmentationConfig, TrainingConfig
from tl_core.config.phases import Phase, fine_tunes, phases_of
from tl_core.data.dataset import Dataset
from tl_core.data.split import groups_of_images
from tl_core.errors import NotEnoughDataError, StoppedError
from tl_core.evaluation.cross_validated import (
    FEWEST,
    FOLDS,
    MOST_IMAGES,
    REPEATS,
    CrossValidation,
    can_cross_validate,
    save_cross_validation,
    summarize,
)
from tl_core.features.partition import TrainedPart, partition_classifier
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.models.classifier import freeze_layers
from tl_core.runs import dataset_of, load_run
from tl_core.training.callbacks.best_model import BestModel
from tl_core.training.callbacks.early_stopping import EarlyStopping
from tl_core.training.callbacks.event_log import EventLogger
from tl_core.training.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from tl_core.training.data import prepare_phase
from tl_core.training.epoch_runner import Interrupted
from tl_core.training.inputs import CachedFeatures, PhaseData, Subset
from tl_core.training.losses import balanced_class_weights, sample_weights
from tl_core.training.saving import restore, snapshot
from tl_core.training.setup import TrainingSetup, set_up_training
from tl_core.training.trainer import Callback, FitSettings, Trainer

logger = logging.getLogger(__name__)

STOPPED: Final = "The cross-validation was stopped."
MOST_BYTES: Final = 1 << 30  # of features, which lie in memory

Rows = npt.NDArray[np.int64]


def cross_validate(run_path: Path, task: TaskContext = UNATTENDED) -> CrossValidation:
    """Cross-validate the settings of a run on all its images, and keep the outcome with its evaluations.

    Args:
        task: gets heads done and in all; checked for a stop between batches.

    Raises:
        NotEnoughDataError: there are too many images for it, or too few different ones of a class.
        RunNotFoundError: there is no run, or it was deleted meanwhile.
        DatasetNotFoundError: its images were deleted.
        StoppedError: a stop was requested.
        TransferLearningError: the backbone cannot be had, or the features cannot be kept.
    """
    run = load_run(run_path)
    dataset = dataset_of(run)
    if not can_cross_validate(run, dataset):
        raise NotEnoughDataError(
            f"Cross-validation is for runs of one backbone that have ended, with up to {MOST_IMAGES:,} images in all "
            f"and at least {FEWEST} different ones of each class. “{run.name}” is {run.status} and has "
            f"{len(dataset.images):,}."
        )
    config = replace(run.config, augmentation=AugmentationConfig())
    task.report(0, 1, "Reading what the backbone made of the images")
    setup = set_up_training(config, dataset, run.workspace, _Silent(task.part(0.0, 0.5)), task.should_stop)
    phase = phases_of(config, len(setup.classifier.base.layers))[0]
    freeze_layers(setup.classifier.base, phase.frozen_layers)
    try:
        scores = _Heads(setup, config, phase, _material(setup, phase, dataset), task.part(0.5, 1.0)).scores()
    except Interrupted as error:
        raise StoppedError(STOPPED) from error
    finally:
        if setup.reusable:
            release_backbone(setup.backbone, setup.classifier.image_size, setup.classifier.base)
    found = summarize(scores, len(dataset.images), fine_tuned=fine_tunes(run.config))
    load_run(run.path)  # raises where it was deleted meanwhile
    save_cross_validation(run, found)
    return found


def divisions(labels: Rows, groups: Sequence[str], folds: int, repeats: int) -> list[Rows]:
    """The fold of every image in each repetition.

    Args:
        labels: ``(images,)``, from 0.
        groups: of each image; images of one group are in one fold.
        folds: at most; fewer where a class has fewer groups.
        repeats: repetitions.

    Returns:
        One ``(images,)`` array per repetition; no fold is empty.

    Raises:
        NotEnoughDataError: a class has fewer than 3 groups.
    """
    of_class: dict[int, set[str]] = {}
    for label, group in zip(labels.tolist(), groups, strict=True):
        of_class.setdefault(label, set()).add(group)
    least = min(map(len, of_class.values()))
    if least < FEWEST:
        raise NotEnoughDataError(
            f"Cross-validation needs at least {FEWEST} images of each class that do not show the same thing, and one "
            f"class has {least}: bring more."
        )
    found = []
    for repeat in range(repeats):
        splitter = StratifiedGroupKFold(min(folds, least), shuffle=True, random_state=repeat)
        fold_of = np.empty(len(labels), np.int64)
        parts = [rows for _, rows in splitter.split(labels, labels, groups)]
        for fold, rows in enumerate(part for part in parts if len(part)):
            fold_of[rows] = fold
        found.append(fold_of)
    return found


@dataclass(frozen=True, slots=True)
class _Material:
    """What the heads learn from and are asked about."""

    inputs: CachedFeatures  # of all images, by row
    labels: npt.NDArray[np.int32]  # (images,)
    groups: tuple[str, ...]


def _material(setup: TrainingSetup, phase: Phase, dataset: Dataset) -> _Material:
    data = prepare_phase(setup, phase)
    subsets = [data.train(1), data.validation, *([data.test] if data.test is not None else [])]
    arrays = [_read(subset) for subset in subsets]
    order = np.concatenate([setup.rows_of(split) for split in ("train", "validation", "test")])
    names = groups_of_images(dataset.images)
    joined = [np.concatenate(parts) for parts in zip(*arrays, strict=True)]
    return _Material(CachedFeatures(joined), setup.labels[order], tuple(names[row] for row in order))


def _read(subset: Subset) -> list[npt.NDArray[Any]]:
    if not isinstance(subset.inputs, CachedFeatures) or subset.inputs.bytes > MOST_BYTES:
        raise NotEnoughDataError(
            "What the backbone makes of these images is too large to be kept, so nothing is cross-validated: free "
            "some disk space, allow the cache more of it with TL_CACHE_GB, or choose another pooling than flatten."
        )
    return subset.inputs.read(subset.rows)


class _Heads:
    """Trains the heads of all folds of all repetitions, one after the other."""

    def __init__(
        self, setup: TrainingSetup, config: TrainingConfig, phase: Phase, material: _Material, task: TaskContext
    ) -> None:
        self._setup, self._config, self._phase = setup, config, phase
        self._material, self._task = material, task

    def scores(self) -> list[list[float]]:
        """The share of right answers in each fold of each repetition."""
        labels = self._material.labels.astype(np.int64)
        found: list[list[float]] = []
        for repeat, fold_of in enumerate(divisions(labels, self._material.groups, FOLDS, REPEATS)):
            folds = int(fold_of.max()) + 1
            keras.utils.set_random_seed(self._config.seed + repeat)
            trained = self._new_head()
            start = snapshot(trained.variables)
            found.append([])
            for fold in range(folds):
                self._task.report(repeat * folds + fold, REPEATS * folds)
                self._task.stop_if_asked(STOPPED)
                restore(trained.variables, start)
                found[-1].append(self._score(trained, fold_of, fold, repeat))
        return found

    def _new_head(self) -> TrainedPart:
        classifier = self._setup.rebuild(self._setup.classifier.base)
        return partition_classifier(classifier, self._phase.frozen_layers).trained

    def _score(self, trained: TrainedPart, fold_of: Rows, fold: int, repeat: int) -> float:
        """Train on all folds but two, keep the epoch that is best on the one, and ask about the other."""
        checked = (fold + 1) % (int(fold_of.max()) + 1)
        learned = np.flatnonzero((fold_of != fold) & (fold_of != checked))
        weights = None
        if self._config.class_weights:
            weights = balanced_class_weights(self._material.labels[learned], len(self._setup.dataset.classes))

        def subset(rows: Rows) -> Subset:
            labels = self._material.labels[rows]
            return Subset(self._material.inputs, rows, labels, sample_weights(labels, weights))

        learning = subset(learned)
        data = PhaseData(trained, lambda _: learning, subset(np.flatnonzero(fold_of == checked)))
        trainer = self._trainer(self._config.seed + repeat)
        trainer.fit(self._phase, data)
        return trainer.evaluate(subset(np.flatnonzero(fold_of == fold))).accuracy

    def _trainer(self, seed: int) -> Trainer:
        config = self._config
        callbacks: list[Callback] = [BestModel(), EarlyStopping(config.early_stopping_patience)]
        if config.schedule == "plateau":
            callbacks.append(ReduceLROnPlateau())
        steps = FitSettings(config.batch_size, config.optimizer, config.weight_decay, config.schedule, seed)
        return Trainer(steps, self._setup.loss, callbacks, self._task.should_stop)


class _Silent(EventLogger):
    """Tells a task what a training would write into its run."""

    def __init__(self, task: TaskContext) -> None:
        self._task, self._text = task, ""
        self.seconds = {}

    def begin(self, stage: str, text: str, **values: Any) -> None:
        logger.debug("%s: %s %s", stage, text, values)
        self._text = text

    def close_stage(self) -> None:
        pass

    def slow_step(self) -> None:
        pass

    def progress(self, done: int, total: int, _images_per_second: float | None = None) -> None:
        self._task.report(done, total, self._text)

    def note(self, text: str) -> None:
        logger.info(text)

    def cached(self, _entry: str, _frozen_layers: int) -> None:
        pass
