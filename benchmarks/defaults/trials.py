"""One trial: a configuration trained on some images of a set, by the product's own training loop."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from benchmarks.defaults.features import Features
from benchmarks.defaults.image_sets import ImageSet, Indices
from benchmarks.defaults.sampling import Draw
from tl_core.config import TrainingConfig
from tl_core.engine.partition import TrainedPart
from tl_core.models.head import build_head
from tl_core.models.optimizers import build_optimizer
from tl_core.training.feeds import ArrayFeed
from tl_core.training.fitter import Fitter
from tl_core.training.losses import Objective, sample_weights
from tl_core.training.passes import Examples
from tl_core.training.phase import PhasePlan, PhaseState, run_phase
from tl_core.training.reporter import HEAD, Reporter
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
    seconds: float  # of training, compiling included

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

    def improved(self, state: PhaseState) -> None:
        """Nothing is kept."""

    def epoch_ended(self, state: PhaseState) -> None:
        """Nothing is kept."""


@dataclass(frozen=True, slots=True)
class PhaseSetting:
    """What one phase is trained with."""

    config: TrainingConfig
    part: TrainedPart
    phase: str
    learning_rate: float
    epochs: int


def try_head(config: TrainingConfig, images: ImageSet, features: Features, drawn: Draw, judged: Indices) -> Outcome:
    """Train a head on stored features and judge it.

    Args:
        config: the head and how to fit it.
        images: the set.
        features: of its images.
        drawn: the images to learn from and to watch.
        judged: the images to be judged by, none of which the training sees.
    """
    keras.utils.set_random_seed(config.seed)
    maps = features.pooled(config.head.pooling)
    part = TrainedPart([], build_head(config.head, maps.shape[1:], len(images.classes)))
    setting = PhaseSetting(config, part, HEAD, config.learning_rate, config.epochs)
    examples = functools.partial(examples_of, ArrayFeed([maps]), images.labels)
    state = PhaseState(HEAD, 1, config.batch_size)
    return run_one_phase(setting, state, examples, drawn, judged, len(images.classes))


def examples_of(feed: ArrayFeed, labels: Indices, rows: Indices, weights: Array | None = None) -> Examples:
    """Some rows of a feed, each counting 1 if no weights are given."""
    weights = np.ones(len(rows), np.float32) if weights is None else weights
    return Examples(feed, rows, labels[rows].astype(np.int32), weights)


def run_one_phase(
    setting: PhaseSetting,
    state: PhaseState,
    examples: Callable[..., Examples],
    drawn: Draw,
    judged: Indices,
    classes: int,
) -> Outcome:
    """Train one phase; the part then has the weights of the best epoch, as in the product."""
    config, part = setting.config, setting.part
    first = state.next_epoch
    began = time.perf_counter()
    labels = examples(drawn.train).labels
    train = examples(drawn.train, sample_weights(config, labels, classes))
    steps = -(-len(train) // config.batch_size)
    optimizer = build_optimizer(config, setting.learning_rate, steps * setting.epochs)
    fitter = Fitter(part, optimizer, Objective(config, classes), lambda: False)
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
