"""One trial: a configuration trained on some images of a set, by the product's own training loop."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from benchmarks.defaults.features import Features
from benchmarks.defaults.image_sets import ImageSet, Indices
from benchmarks.defaults.sampling import Draw
from tl_core.config import TrainingConfig
from tl_core.config.phases import HEAD
from tl_core.features.partition import TrainedPart
from tl_core.models.head import build_head
from tl_core.models.optimizers import build_optimizer
from tl_core.training.callbacks.event_log import Reporter
from tl_core.training.epoch_runner import EpochRunner
from tl_core.training.inputs import CachedFeatures
from tl_core.training.loops import Subset
from tl_core.training.losses import Loss, sample_weights
from tl_core.training.phase import PhasePlan, TrainerState, run_phase
from tl_core.training.saving import restore, snapshot

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


class _Silent:
    """Stands where a run writes its events."""

    def write(self, kind: str, **values: Any) -> None:
        """Nothing is kept."""


class _Nothing:
    """Stands where a run keeps what must survive the process."""

    def improved(self, state: TrainerState) -> None:
        """Nothing is kept."""

    def epoch_ended(self, state: TrainerState) -> None:
        """Nothing is kept."""


@dataclass(frozen=True, slots=True)
class PhaseSetting:
    """What one phase is trained with."""

    config: TrainingConfig
    part: TrainedPart
    phase: str
    learning_rate: float
    epochs: int


class HeadTrials:
    """Trials of one head on one set with the same number of images; the TensorFlow graphs are built once."""

    def __init__(self, config: TrainingConfig, images: ImageSet, features: Features, training_images: int) -> None:
        """Build the head.

        Args:
            config: the head and how to fit it; the seed is that of each trial.
            images: the set.
            features: of its images.
            training_images: how many each trial learns from.
        """
        maps = features.pooled(config.head.pooling)
        self._shape = maps.shape[1:]
        self._classes = len(images.classes)
        self._examples = functools.partial(examples_of, CachedFeatures([maps]), images.labels)
        self._setting = PhaseSetting(config, self._build(config), HEAD, config.learning_rate, config.epochs)
        self._fitter = build_fitter(self._setting, training_images, self._classes)
        self._untouched = snapshot(self._fitter.optimizer.variables)

    def run(self, seed: int, drawn: Draw, judged: Indices) -> Outcome:
        """Train from new weights and judge.

        Args:
            seed: of the weights, of the order of the images, and of dropout.
            drawn: the images to learn from and to watch.
            judged: the images to be judged by, none of which the training sees.
        """
        config = replace(self._setting.config, seed=seed)
        restore(self._setting.part.variables, snapshot(self._build(config).variables))
        restore(self._fitter.optimizer.variables, self._untouched)
        state = TrainerState(HEAD, 1, config.batch_size)
        setting = replace(self._setting, config=config)
        return run_one_phase(setting, self._fitter, state, self._examples, drawn, judged)

    def _build(self, config: TrainingConfig) -> TrainedPart:
        keras.utils.set_random_seed(config.seed)
        return TrainedPart([], build_head(config.head, self._shape, self._classes))


def build_fitter(setting: PhaseSetting, training_images: int, classes: int) -> EpochRunner:
    """What trains a part, with a new optimizer."""
    steps = -(-training_images // setting.config.batch_size) * setting.epochs
    optimizer = build_optimizer(setting.config, setting.learning_rate, steps)
    return EpochRunner(setting.part, optimizer, Loss(setting.config, classes), lambda: False)


def examples_of(feed: CachedFeatures, labels: Indices, rows: Indices, weights: Array | None = None) -> Subset:
    """Some rows of a feed, each counting 1 if no weights are given."""
    weights = np.ones(len(rows), np.float32) if weights is None else weights
    return Subset(feed, rows, labels[rows].astype(np.int32), weights)


def run_one_phase(
    setting: PhaseSetting,
    fitter: EpochRunner,
    state: TrainerState,
    examples: Callable[..., Subset],
    drawn: Draw,
    judged: Indices,
) -> Outcome:
    """Train one phase; the part then has the weights of the best epoch, as in the product."""
    config, part = setting.config, setting.part
    first = state.next_epoch
    began = time.perf_counter()
    labels = examples(drawn.train).labels
    train = examples(drawn.train, sample_weights(config, labels, int(labels.max()) + 1))
    plan = PhasePlan(examples(drawn.watched), first + setting.epochs - 1, lambda _: train)
    take = functools.partial(snapshot, part.variables)
    run_phase(config, plan, state, fitter, take, Reporter(_Silent()), _Nothing())  # type: ignore[arg-type]
    seconds = time.perf_counter() - began
    last = fitter.evaluate(examples(judged)).accuracy
    restore(part.variables, state.weights)
    kept = fitter.evaluate(examples(judged))
    if state.best is None:
        raise ValueError("a phase without an epoch")
    truth = examples(judged).labels
    return Outcome(
        accuracy=kept.accuracy,
        log_loss=_log_loss(truth, kept.probabilities),
        recalls=_recalls(truth, kept.probabilities),
        last_accuracy=last,
        best_epoch=state.best.epoch,
        epochs=state.next_epoch - first,
        seconds=seconds,
    )


def _log_loss(labels: Array, probabilities: Array) -> float:
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, np.finfo(np.float32).eps)).mean())


def _recalls(labels: Array, probabilities: Array) -> tuple[float, ...]:
    answers = probabilities.argmax(axis=1)
    return tuple(float(np.mean(answers[labels == label] == label)) for label in np.unique(labels))
