"""Trains a head as `tl_core.training` does, on features that lie in memory, for all folds of a validation at once.

The steps are those of the trainer: the same loss, Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980) with a
cosine schedule, and the epoch with the lowest held-out loss counts. They are written in NumPy, because a graph for
every shape of head would take longer to build than most heads to train. Folds share their batches: an image that a
fold holds out has no weight there.

Two things are left out, because they take longer than they change: the scale and offset of the normalization do not
learn (the layer that follows can learn the same), and the best epoch is looked for about a dozen times.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from tl_core.config import HeadConfig, TrainingConfig

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Weights = tuple[tuple[Array, Array], ...]
"""Kernel ``(inputs, outputs)`` and bias ``(outputs,)`` of each layer."""

CHECKS: Final = 12  # times in a training at which the held-out images are looked at, at most
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7  # of Adam, as Keras has them
_AT_ONCE: Final = 16_384  # values that Adam updates at once
_NORMALIZATION_EPSILON: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Features:
    """Training and validation images behind a frozen backbone; the test images are not among them."""

    views: Array  # (v, n, d): the first view is the image as it is, the others are changed at random
    labels: Labels  # (n,)
    validation: Mask  # (n,) whether it is a validation image of the dataset
    classes: int
    channels: tuple[int, ...]  # of the maps that are pooled, the last block's first

    def of(self, head: HeadConfig) -> Array:
        """What this head would be trained on, ``(v, n, features)``."""
        taken = [np.arange(start, start + count) for start, count, used in self._parts(head) if used]
        places = np.concatenate(taken)
        whole = places[-1] - places[0] == len(places) - 1
        return self.views[..., places[0] : places[-1] + 1] if whole else self.views[..., places]

    def count(self, head: HeadConfig) -> int:
        """How many features this head would be trained on."""
        return sum(count for _, count, used in self._parts(head) if used)

    def _parts(self, head: HeadConfig) -> Iterator[tuple[int, int, bool]]:
        """First place and number of each block's averages and maxima, and whether the head uses them."""
        start = 0
        for block, count in enumerate(self.channels):
            for pooling in ("average", "max"):
                yield start, count, block < head.blocks and head.pooling in (pooling, "both")
                start += count


@dataclass(frozen=True, slots=True)
class Material:
    """What a head is trained and checked on.

    Args:
        views: features of every image ``(v, n, d)``: as it is, and where there are more views, changed at random.
            Those are learned from in its place.
        labels: class of every image ``(n,)``.
        classes: number of classes.
        held_out: which images each fold does not learn from ``(folds, n)``; every fold learns from all others.
    """

    views: Array
    labels: Labels
    classes: int
    held_out: Mask


def material_of(features: Features, config: TrainingConfig, masks: Mask) -> Material:
    """What the head of a configuration is trained and checked on."""
    return Material(features.of(config.head), features.labels, features.classes, masks)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How good a head is on images it has not learned from."""

    accuracy: float  # 0-1
    loss: float  # cross-entropy per image
    rows: Labels  # (m,) the images that were held out by any fold
    probabilities: Array  # (m, classes) of these, the mean over the folds that held them out
    right: Mask  # (m,) whether the most probable class is the right one
    epoch: int  # whose weights these are
    ended_early: bool = False
    weights: Weights = ()  # of the first fold's head at that epoch, where they were asked for


Report = Callable[[float, float, float], bool]
"""Told the share of the training that is done, held-out accuracy and loss; true ends the training."""


def is_supported(config: TrainingConfig) -> bool:
    """Whether `fit_head` trains such a head as the trainer would."""
    head = config.head
    return (
        head.pooling != "flatten"
        and head.feature_normalization != "batch"
        and len(head.dense_units) <= 1
        and head.activation == "relu"
        and not head.batch_norm
        and head.output == "softmax"
        and config.optimizer in ("adam", "adamw")
        and config.schedule in ("cosine", "constant")
    )


def fit_head(
    config: TrainingConfig,
    material: Material,
    report: Report = lambda *_: False,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    keep_weights: bool = False,
) -> Outcome:
    """Train one head per fold, and ask each about the images that it holds out.

    Args:
        config: of which the head and the first phase count; see `is_supported`.
        material: features and folds.
        report: told about a dozen times how it goes.
        should_stop: asked in every epoch; true ends the training as ``report`` does.
        keep_weights: whether the outcome has the weights of its epoch.
    """
    # The products are small: threads would wait for each other, above all on a busy machine.
    with threadpool_limits(1):
        return _fit(config, material, report, should_stop, keep_weights=keep_weights)


def _fit(
    config: TrainingConfig,
    material: Material,
    report: Report,
    should_stop: Callable[[], bool],
    *,
    keep_weights: bool,
) -> Outcome:
    head = _Head(config, material)
    every = max(1, config.epochs // CHECKS)
    best, ended = None, False
    for epoch in range(1, config.epochs + 1):
        head.train_epoch()
        if should_stop():
            ended = True
        if epoch % every == 0 or epoch == config.epochs or ended:
            found, chosen_by = head.check(epoch)
            if best is None or chosen_by < best[1]:
                best = (replace(found, weights=head.weights()) if keep_weights else found), chosen_by
            ended = ended or (epoch < config.epochs and report(epoch / config.epochs, found.accuracy, found.loss))
        if ended:
            break
    assert best is not None  # noqa: S101  # there is at least one epoch
    return replace(best[0], ended_early=ended)


class _Head:
    """The weights of one head per fold, and their training."""

    def __init__(self, config: TrainingConfig, material: Material) -> None:
        self._config, self._material = config, material
        self._random = np.random.default_rng([config.seed, 2])
        head, folds = config.head, len(material.held_out)
        views = material.views
        self._views = _normalized(views) if head.feature_normalization == "layer" else views
        self._held_out = [np.flatnonzero(row) for row in material.held_out]
        self._learned = np.flatnonzero(~material.held_out.all(axis=0))  # images that any fold learns from
        self._weights = self._image_weights()
        features = views.shape[-1]
        sizes = [features, *head.dense_units, material.classes]
        self._layers = [
            (self._drawn(folds, inputs, outputs), np.zeros((folds, 1, outputs), np.float32))
            for inputs, outputs in itertools.pairwise(sizes)
        ]
        self._optimizer = _Adam(config, -(-len(self._learned) // config.batch_size) * config.epochs)

    def train_epoch(self) -> None:
        """One pass over the images that are learned from, in an order of its own."""
        order = self._random.permutation(self._learned)
        batch_size = self._config.batch_size
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            view = self._random.integers(1, len(self._views), size=len(rows)) if len(self._views) > 1 else 0
            self._step(self._views[view, rows], rows)

    def weights(self) -> Weights:
        """Copies of the weights of the first fold."""
        return tuple((kernel[0].copy(), bias[0, 0].copy()) for kernel, bias in self._layers)

    def check(self, epoch: int) -> tuple[Outcome, float]:
        """What the weights of now say about the held-out images, and the loss by which epochs are compared."""
        labels, classes = self._material.labels, self._material.classes
        sums = np.zeros((len(labels), classes), np.float32)
        counts = np.zeros(len(labels), np.float32)
        for fold, rows in enumerate(self._held_out):
            answers = _softmax(self._logits(self._views[0, rows], fold))
            sums[rows] += np.nan_to_num(answers, nan=1 / classes)  # of weights that have grown without end
            counts[rows] += 1
        rows = np.flatnonzero(counts)
        probabilities = sums[rows] / counts[rows, None]
        smoothing = self._config.label_smoothing
        logs = np.log(np.clip(probabilities, 1e-7, 1.0))
        own = logs[np.arange(len(rows)), labels[rows]]
        chosen_by = self._penalty() - ((1 - smoothing) * own + smoothing * logs.mean(axis=1)).mean()
        right = probabilities.argmax(axis=1) == labels[rows]
        return Outcome(float(right.mean()), float(-own.mean()), rows, probabilities, right, epoch), float(chosen_by)

    def _penalty(self) -> float:
        """Of the weights of now, the mean over the folds; it is part of the loss, as in Keras."""
        kernel = self._layers[0][0]
        return self._config.head.l2 * float(np.square(kernel).sum()) / len(kernel)

    def _image_weights(self) -> Array:
        """Of every image in the loss of every fold ``(folds, n)``, of mean 1 over those it learns from."""
        weights = np.where(self._material.held_out, 0, 1).astype(np.float32)
        if self._config.class_weights:
            for fold, row in enumerate(weights):
                counts = np.bincount(self._material.labels[row > 0], minlength=self._material.classes)
                row *= (1 / np.maximum(counts, 1))[self._material.labels]
                weights[fold] = row / row[row > 0].mean()
        return weights

    def _drawn(self, folds: int, inputs: int, outputs: int) -> Array:
        """Glorot's uniform start, the same in all folds."""
        limit = math.sqrt(6 / (inputs + outputs))
        start = self._random.uniform(-limit, limit, (1, inputs, outputs)).astype(np.float32)
        return np.repeat(start, folds, axis=0)

    def _logits(self, features: Array, fold: int) -> Array:
        (kernel, bias), *hidden = self._layers
        x = features @ kernel[fold] + bias[fold]
        for kernel, bias in hidden:
            x = np.maximum(x, 0) @ kernel[fold] + bias[fold]
        result: Array = x
        return result

    def _step(self, features: Array, rows: Labels) -> None:
        keep = np.float32(1 - self._config.head.dropout)
        (kernel, bias), *hidden = self._layers
        if keep < 1 and not hidden:
            features = features * self._dropout(features.shape, keep)
        x = np.matmul(features, kernel) + bias
        changes: list[tuple[Array, Array, bool]] = []
        if hidden:
            (top, top_bias) = hidden[0]
            kept = (x > 0).astype(np.float32)
            if keep < 1:
                kept *= self._dropout(x.shape, keep)
            x *= kept
            dz = self._slope(np.matmul(x, top) + top_bias, rows)
            changes.append((top, np.matmul(x.transpose(0, 2, 1), dz), True))
            changes.append((top_bias, dz.sum(1, keepdims=True), False))
            dz = np.matmul(dz, top.transpose(0, 2, 1)) * kept
        else:
            dz = self._slope(x, rows)
        slope = np.matmul(features.T, dz)
        if self._config.head.l2:  # on the hidden layer, or where there is none, on the output
            slope += np.float32(2 * self._config.head.l2) * kernel
        self._optimizer.step([*changes, (bias, dz.sum(1, keepdims=True), False), (kernel, slope, True)])

    def _dropout(self, shape: tuple[int, ...], keep: np.float32) -> Array:
        """0 for what is dropped, and for what is kept the factor that makes up for it."""
        return (self._random.random(shape, np.float32) < keep).astype(np.float32) / keep

    def _slope(self, z: Array, rows: Labels) -> Array:
        """Of the mean loss of every fold with respect to its logits ``(folds, b, classes)``."""
        smoothing, classes = self._config.label_smoothing, self._material.classes
        slope = _softmax(z)
        slope -= np.float32(smoothing / classes)
        slope[:, np.arange(len(rows)), self._material.labels[rows]] -= np.float32(1 - smoothing)
        weights = self._weights[:, rows]
        counted = np.maximum(1, (weights > 0).sum(1, keepdims=True))
        slope *= (weights / counted)[:, :, None]
        return slope


class _Adam:
    """Adam and AdamW; weight decay is for kernels alone."""

    def __init__(self, config: TrainingConfig, steps: int) -> None:
        self._rate, self._cosine, self._steps = config.learning_rate, config.schedule == "cosine", max(1, steps)
        self._decay = config.weight_decay if config.optimizer == "adamw" else 0.0
        self._done = 0
        self._moments: dict[int, tuple[Array, Array]] = {}

    def step(self, changes: Sequence[tuple[Array, Array, bool]]) -> None:
        """Update variables in place by their slopes; the third of each says whether it is a kernel."""
        rate = self._rate
        if self._cosine:
            rate *= 0.5 * (1 + math.cos(math.pi * min(1.0, self._done / self._steps)))
        self._done += 1
        scaled = np.float32(rate * math.sqrt(1 - _BETA_2**self._done) / (1 - _BETA_1**self._done))
        for variable, slope, is_kernel in changes:
            if id(variable) not in self._moments:
                self._moments[id(variable)] = np.zeros(variable.size, np.float32), np.zeros(variable.size, np.float32)
            mean, square = self._moments[id(variable)]
            shrink = np.float32(1 - rate * self._decay if is_kernel else 1)
            values, slopes = variable.reshape(-1), slope.reshape(-1)
            for start in range(0, variable.size, _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                _update(values[part], slopes[part], mean[part], square[part], scaled, shrink)


def _update(values: Array, slope: Array, mean: Array, square: Array, rate: np.float32, shrink: np.float32) -> None:
    """One step of Adam for so few values that they stay in the processor's cache; the slope is used up."""
    if shrink != 1:
        values *= shrink
    mean *= np.float32(_BETA_1)
    mean += np.float32(1 - _BETA_1) * slope
    np.multiply(slope, slope, out=slope)
    slope *= np.float32(1 - _BETA_2)
    square *= np.float32(_BETA_2)
    square += slope
    np.sqrt(square, out=slope)
    slope += np.float32(_EPSILON)
    np.divide(mean, slope, out=slope)
    slope *= rate
    values -= slope


def _normalized(views: Array) -> Array:
    """Each image over its features, to mean 0 and variance 1."""
    centred = views - views.mean(axis=-1, keepdims=True)
    scale = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + _NORMALIZATION_EPSILON)
    result: Array = (centred / scale).astype(np.float32, copy=False)
    return result


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    result: Array = e / e.sum(axis=-1, keepdims=True)
    return result
