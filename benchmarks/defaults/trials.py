"""One trial: a configuration trained on some images of a set, by the product's own training loop."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from benchmarks.defaults.features import Features
from benchmarks.defaults.image_sets import ImageSet, Indices
from benchmarks.defaults.sampling import Draw
from tl_core.config import TrainingConfig
from tl_core.config.phases import Phase, phases_of
from tl_core.features.partition import TrainedPart
from tl_core.models.head import build_head
from tl_core.training.callbacks import Callback
from tl_core.training.callbacks.best_model import BestModel
from tl_core.training.callbacks.early_stopping import EarlyStopping
from tl_core.training.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from tl_core.training.data import CachedFeatures, PhaseData, Subset
from tl_core.training.losses import Loss, balanced_class_weights, sample_weights
from tl_core.training.trainer import FitSettings, Trainer

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a trial gave."""

    accuracy: float  # of the best epoch's model on the images it is judged by, 0-1
    log_loss: float  # mean -log of the probability that model gives the right class (natural logarithm)
    recalls: tuple[float, ...]  # by class, the share of its images that this model recognises
    last_accuracy: float  # of the last epoch's model on the same images
    best_epoch: int
    epochs: int  # that were trained
    seconds: float  # of training, without what is built once

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Outcome:
        """Read what `to_dict` wrote."""
        return cls(**{**values, "recalls": tuple(values["recalls"])})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is trained, from which inputs, and how it is judged."""

    config: TrainingConfig
    inputs: CachedFeatures
    labels: Indices  # of all images of the set
    classes: int
    drawn: Draw
    judged: Indices  # images to be judged by, none of which the training sees

    def trainer(self) -> Trainer:
        """The product's own, for all phases of the trial."""
        config = self.config
        settings = FitSettings(config.batch_size, config.optimizer, config.weight_decay, config.schedule, config.seed)
        callbacks: list[Callback] = [BestModel(), EarlyStopping(config.early_stopping_patience)]
        if config.schedule == "plateau":
            callbacks.append(ReduceLROnPlateau())
        return Trainer(settings, Loss(config.head.output, self.classes, config.label_smoothing), callbacks)

    def fit(self, trainer: Trainer, phase: Phase, part: TrainedPart) -> Outcome:
        """Train one phase; the part then has the weights of the best epoch, as in the product."""
        labels = self.labels[self.drawn.train]
        class_weights = balanced_class_weights(labels, self.classes) if self.config.class_weights else None
        train = self._subset(self.drawn.train, sample_weights(labels, class_weights))
        last: list[float] = []
        judge = _JudgeLast(self._subset(self.judged), last)
        trainer.callbacks = (judge, *(entry for entry in trainer.callbacks if not isinstance(entry, _JudgeLast)))
        first, began = trainer.epoch, time.perf_counter()
        trainer.fit(phase, PhaseData(part, lambda _: train, self._subset(self.drawn.watched)))
        seconds = time.perf_counter() - began
        kept = trainer.evaluate(self._subset(self.judged))
        if trainer.best is None:
            raise ValueError("a phase without an epoch")
        truth = self.labels[self.judged]
        return Outcome(
            accuracy=kept.accuracy,
            log_loss=_log_loss(truth, kept.probabilities),
            recalls=_recalls(truth, kept.probabilities),
            last_accuracy=last[-1],
            best_epoch=trainer.best.epoch,
            epochs=trainer.epoch - first,
            seconds=seconds,
        )

    def _subset(self, rows: Indices, weights: Array | None = None) -> Subset:
        weights = np.ones(len(rows), np.float32) if weights is None else weights
        return Subset(self.inputs, rows, self.labels[rows].astype(np.int32), weights)


class _JudgeLast(Callback):
    """Judges the weights of the last epoch, before those of the best one take their place."""

    def __init__(self, judged: Subset, accuracies: list[float]) -> None:
        self._judged = judged
        self._accuracies = accuracies

    def on_phase_end(self, trainer: Trainer) -> None:
        """Judge."""
        self._accuracies.append(trainer.evaluate(self._judged).accuracy)


class HeadTrials:
    """Trials of one head on one set."""

    def __init__(self, config: TrainingConfig, images: ImageSet, features: Features) -> None:
        """Take what all trials share.

        Args:
            config: the head and how to fit it; the seed is that of each trial.
            images: the set.
            features: of its images.
        """
        self._maps = features.pooled(config.head.pooling)
        self._config = config
        self._images = images

    def run(self, seed: int, drawn: Draw, judged: Indices) -> Outcome:
        """Train from new weights and judge.

        Args:
            seed: of the weights, of the order of the images, and of dropout.
            drawn: the images to learn from and to watch.
            judged: the images to be judged by, none of which the training sees.
        """
        config, classes = replace(self._config, seed=seed), len(self._images.classes)
        keras.utils.set_random_seed(seed)
        part = TrainedPart([], build_head(config.head, self._maps.shape[1:], classes))
        trial = Trial(config, CachedFeatures([self._maps]), self._images.labels, classes, drawn, judged)
        return trial.fit(trial.trainer(), phases_of(config)[0], part)


def _log_loss(labels: Array, probabilities: Array) -> float:
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, np.finfo(np.float32).eps)).mean())


def _recalls(labels: Array, probabilities: Array) -> tuple[float, ...]:
    answers = probabilities.argmax(axis=1)
    return tuple(float(np.mean(answers[labels == label] == label)) for label in np.unique(labels))
