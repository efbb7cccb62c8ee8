"""Trains a head as `tl_core.training` does, on features that lie in memory, for all folds of a validation at once.

The steps are those of the trainer: the same loss, Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980) with a
cosine schedule, and the epoch with the lowest held-out loss counts. They are written in NumPy, because a graph for
every shape of head would take longer to build than most heads to train. Folds share their batches: an image that a
fold holds out has no weight there. Heads share them, too, where they differ only in what each makes of a batch.

Two things are left out, because they take longer than they change: the scale and offset of the normalization do not
learn (the layer that follows can learn the same), and the best epoch is looked for about a dozen times.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
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
_AT_ONCE: Final = 32_768  # values that Adam updates at once
_NORMALIZATION_EPSILON: Final = 1e-3
_HEATS: Final = tuple(np.geomspace(0.2, 5.0, 15).tolist())  # 1 / temperature
_STEPS_OF_CHANCE: Final = 1 << 16  # numbers that 16 bits tell apart


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
    loss: float  # see `calibrated_loss`
    rows: Labels  # (m,) the images that were held out by any fold
    probabilities: Array  # (m, classes) of these, the mean over the folds that held them out
    right: Mask  # (m,) whether the most probable class is the right one
    epoch: int  # whose weights these are
    ended_early: bool = False
    weights: Weights = ()  # of the first fold's head at that epoch, where they were asked for


def outcome_of(probabilities: Array, rows: Labels, labels: Labels, epoch: int = 0) -> Outcome:
    """How good some answers are.

    Args:
        probabilities: ``(m, classes)``.
        rows: the images that were asked about ``(m,)``.
        labels: their classes ``(m,)``.
        epoch: whose weights have answered.
    """
    right = probabilities.argmax(axis=1) == labels
    return Outcome(float(right.mean()), calibrated_loss(probabilities, labels), rows, probabilities, right, epoch)


def calibrated_loss(probabilities: Array, labels: Labels) -> float:
    """Cross-entropy per image at the temperature at which it is lowest (Guo et al. 2017, arXiv 1706.04599).

    Dropout and label smoothing make a head less sure of the same answers, which is no reason to choose another.

    Args:
        probabilities: ``(m, classes)``.
        labels: ``(m,)``.
    """
    logs = np.log(np.clip(probabilities, 1e-7, 1.0))
    logs -= logs.max(axis=1, keepdims=True)
    own = logs[np.arange(len(labels)), labels]
    return min(float((np.log(np.exp(heat * logs).sum(axis=1)) - heat * own).mean()) for heat in _HEATS)


Report = Callable[[float, float, float], bool]
"""Told the share of the training that is done, held-out accuracy and loss; true ends the training."""

GroupReport = Callable[[int, float, float, float], bool]
"""The same, of the head at a place among several."""


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
        found = fit_heads([config], material, lambda _, *told: report(*told), should_stop, keep_weights=keep_weights)
    return found[0]


def fit_heads(
    configs: Sequence[TrainingConfig],
    material: Material,
    report: GroupReport = lambda *_: False,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    keep_weights: bool = False,
) -> list[Outcome]:
    """Train several heads at once that look at the same batches; each learns what it would learn alone.

    The first layers of all are one matrix, so that reading a batch, and the product with it, are paid for once. It
    takes as many threads as the library of the products was told to.

    Args:
        configs: that differ in nothing but what `together` leaves out.
        material: features and folds.
        report: told of each about a dozen times how it goes, with its place among ``configs``.
        should_stop: asked in every epoch; true ends the training as ``report`` does.
        keep_weights: whether the outcomes have the weights of their epochs.

    Returns:
        What each has come to, in the order of ``configs``.

    Raises:
        ValueError: they cannot be trained together.
    """
    if len({together(config) for config in configs}) != 1:
        raise ValueError("Heads are trained together only where they look at the same batches.")
    heads, epochs = _Heads(configs, material), configs[0].epochs
    every = max(1, epochs // CHECKS)
    best: dict[int, tuple[Outcome, float]] = {}
    ended: set[int] = set()
    for epoch in range(1, epochs + 1):
        heads.train_epoch()
        stopped = should_stop()
        if epoch % every and epoch != epochs and not stopped:
            continue
        for place, found, chosen_by in heads.check(epoch):
            if place not in best or chosen_by < best[place][1]:
                kept = replace(found, weights=heads.weights(place)) if keep_weights else found
                best[place] = kept, chosen_by
            if stopped or (epoch < epochs and report(place, epoch / epochs, found.accuracy, found.loss)):
                ended.add(place)
        heads.end(ended)
        if not heads.places:
            break
    return [replace(best[place][0], ended_early=place in ended) for place in range(len(configs))]


def together(config: TrainingConfig) -> TrainingConfig:
    """The same without what may differ among heads that are trained at once."""
    return replace(
        config,
        head=replace(config.head, l2=0.0),
        learning_rate=1e-3,
        optimizer="adam",
        weight_decay=0.0,
        label_smoothing=0.0,
        class_weights=False,
    )


class _Heads:
    """The weights of some heads, a copy for each fold, and their training.

    A copy of a head for a fold is a member; those of one head lie beside each other. Kernels are ``(inputs, members,
    outputs)``, biases ``(1, members, outputs)``: the first layer of all members is one matrix.
    """

    def __init__(self, configs: Sequence[TrainingConfig], material: Material) -> None:
        config = self._config = configs[0]
        self._all, self._material = list(configs), material
        self.places = list(range(len(configs)))  # of the heads that still learn
        self._random = np.random.default_rng([config.seed, 2])
        views = material.views
        self._views = _normalized(views) if config.head.feature_normalization == "layer" else views
        self._held_out = [np.flatnonzero(row) for row in material.held_out]
        self._learned = np.flatnonzero(~material.held_out.all(axis=0))  # images that any fold learns from
        members = len(configs) * len(material.held_out)
        sizes = [views.shape[-1], *config.head.dense_units, material.classes]
        self._layers = [
            (self._drawn(members, inputs, outputs), np.zeros((1, members, outputs), np.float32))
            for inputs, outputs in itertools.pairwise(sizes)
        ]
        self._optimizer = _Adam(
            self._of_members("learning_rate"),
            self._of_members("weight_decay") if any(one.optimizer == "adamw" for one in configs) else None,
            -(-len(self._learned) // config.batch_size) * config.epochs if config.schedule == "cosine" else None,
        )
        self._image_weights = self._weights_of_images()
        self._smoothing = self._of_members("label_smoothing")
        self._l2 = self._of_members("l2", "head")

    def train_epoch(self) -> None:
        """One pass over the images that are learned from, in an order of its own."""
        order = self._random.permutation(self._learned)
        batch_size = self._config.batch_size
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            view = self._random.integers(1, len(self._views), size=len(rows)) if len(self._views) > 1 else 0
            self._step(self._views[view, rows], rows)

    def check(self, epoch: int) -> list[tuple[int, Outcome, float]]:
        """Of every head that still learns: what its weights of now say, and the loss by which epochs are compared."""
        labels, classes, heads = self._material.labels, self._material.classes, len(self.places)
        sums = np.zeros((len(labels), heads, classes), np.float32)
        counts = np.zeros(len(labels), np.float32)
        for fold, rows in enumerate(self._held_out):
            answers = _softmax(self._logits(self._views[0, rows], fold))
            sums[rows] += np.nan_to_num(answers, nan=1 / classes)  # of weights that have grown without end
            counts[rows] += 1
        rows = np.flatnonzero(counts)
        probabilities = sums[rows] / counts[rows, None, None]
        penalties = self._penalties()
        return [
            (place, *self._judged(place, epoch, rows, np.ascontiguousarray(probabilities[:, head]), penalties[head]))
            for head, place in enumerate(self.places)
        ]

    def _judged(
        self, place: int, epoch: int, rows: Labels, probabilities: Array, penalty: float
    ) -> tuple[Outcome, float]:
        labels, smoothing = self._material.labels[rows], self._all[place].label_smoothing
        logs = np.log(np.clip(probabilities, 1e-7, 1.0))
        own = logs[np.arange(len(rows)), labels]
        chosen_by = penalty - ((1 - smoothing) * own + smoothing * logs.mean(axis=1)).mean()
        return outcome_of(probabilities, rows, labels, epoch), float(chosen_by)

    def weights(self, place: int) -> Weights:
        """Copies of the weights of a head for the first fold."""
        member = self.places.index(place) * len(self._held_out)
        return tuple((kernel[:, member].copy(), bias[0, member].copy()) for kernel, bias in self._layers)

    def end(self, places: Collection[int]) -> None:
        """Let the heads at these places learn no more."""
        folds = len(self._held_out)
        kept = np.repeat([place not in places for place in self.places], folds)
        if kept.all():
            return
        self.places = [place for place in self.places if place not in places]
        self._layers = [(kernel[:, kept], bias[:, kept]) for kernel, bias in self._layers]
        self._optimizer.keep(kept)
        self._image_weights = self._image_weights[:, kept]
        self._smoothing, self._l2 = self._smoothing[kept], self._l2[kept]

    def _of_members(self, name: str, part: str = "") -> Array:
        """A setting, or one of the head, of every member ``(members,)``."""
        values = [getattr(getattr(config, part) if part else config, name) for config in self._all]
        return np.repeat(np.array(values, np.float32), len(self._material.held_out))

    def _penalties(self) -> list[float]:
        """Of the weights of now, of each head the mean over the folds; it is part of the loss, as in Keras."""
        sums = self._l2 * np.square(self._layers[0][0]).sum(axis=(0, 2))
        means: list[float] = sums.reshape(len(self.places), -1).mean(axis=1).tolist()
        return means

    def _weights_of_images(self) -> Array:
        """Of every image in the loss of every member ``(n, members)``, of mean 1 over those that it learns from."""
        plain = np.where(self._material.held_out, 0, 1).astype(np.float32)
        balanced = plain.copy()
        for row in balanced:
            counts = np.bincount(self._material.labels[row > 0], minlength=self._material.classes)
            row *= (1 / np.maximum(counts, 1))[self._material.labels]
            row /= row[row > 0].mean()
        found = [balanced if config.class_weights else plain for config in self._all]
        return np.ascontiguousarray(np.concatenate(found).T)

    def _drawn(self, members: int, inputs: int, outputs: int) -> Array:
        """Glorot's uniform start, the same for all."""
        limit = math.sqrt(6 / (inputs + outputs))
        start = self._random.uniform(-limit, limit, (inputs, 1, outputs)).astype(np.float32)
        return np.repeat(start, members, axis=1)

    def _logits(self, features: Array, fold: int) -> Array:
        """Of the heads of a fold ``(b, heads, classes)``."""
        folds = len(self._held_out)
        (kernel, bias), *hidden = self._layers
        ours = kernel[:, fold::folds]
        x = (features @ ours.reshape(len(kernel), -1)).reshape(len(features), *ours.shape[1:]) + bias[:, fold::folds]
        for kernel, bias in hidden:
            x = _products(np.maximum(x, 0), kernel[:, fold::folds]) + bias[:, fold::folds]
        return x

    def _step(self, features: Array, rows: Labels) -> None:
        keep = 1 - self._config.head.dropout
        (kernel, bias), *hidden = self._layers
        if keep < 1 and not hidden:
            features = self._thinned(features, keep)
        x = (features @ kernel.reshape(len(kernel), -1)).reshape(len(features), *kernel.shape[1:])
        x += bias
        slopes: list[Array] = []
        if hidden:
            (top, top_bias) = hidden[0]
            x = self._thinned(np.maximum(x, 0, out=x), keep)
            dz = self._slope(_products(x, top) + top_bias, rows)
            slopes = [_products(x.transpose(2, 1, 0), dz), dz.sum(0, keepdims=True)]
            dz = _products(dz, top.transpose(2, 1, 0))
            dz *= np.where(x > 0, np.float32(1 / keep), np.float32(0))
        else:
            dz = self._slope(x, rows)
        slope = (features.T @ dz.reshape(len(features), -1)).reshape(kernel.shape)
        if self._l2.any():  # on the hidden layer, or where there is none, on the output
            slope += 2 * self._l2[:, None] * kernel
        variables = [variable for layer in reversed(self._layers) for variable in layer]
        self._optimizer.step(variables, [*slopes, slope, dz.sum(0, keepdims=True)])

    def _thinned(self, values: Array, keep: float) -> Array:
        """With dropout, in place: 0 for what is dropped, and for what is kept the factor that makes up for it."""
        if keep < 1:
            drawn = np.frombuffer(self._random.bytes(2 * values.size), np.uint16).reshape(values.shape)
            np.copyto(values, 0, where=drawn >= round(keep * _STEPS_OF_CHANCE))
            values *= np.float32(1 / keep)
        return values

    def _slope(self, z: Array, rows: Labels) -> Array:
        """Of the mean loss of every member with respect to its logits ``(b, members, classes)``."""
        slope = _softmax(z)
        slope -= (self._smoothing / self._material.classes)[:, None]
        slope[np.arange(len(rows)), :, self._material.labels[rows]] -= 1 - self._smoothing
        weights = self._image_weights[rows]
        counted = np.maximum(1, (weights > 0).sum(0))
        slope *= (weights / counted)[:, :, None]
        return slope


class _Adam:
    """Adam and AdamW, with a rate and a decay of each member; weight decay is for kernels alone.

    It takes more time than the products where a layer is wide, so it goes over the values as few times as it can: the
    moments are sums in place of means, whose factors are in the rate, and its epsilon is where the squares begin.

    Args:
        rates: of every member at the beginning ``(members,)``.
        decays: of the weights of every member; None without any.
        steps: in which the rates fall to 0 along a cosine; None: they stay.
    """

    def __init__(self, rates: Array, decays: Array | None, steps: int | None) -> None:
        self._rates, self._steps = rates, steps
        self._decays = None if decays is None or not decays.any() else decays
        self._done = 0
        self._moments: list[tuple[Array, Array]] = []

    def keep(self, members: Mask) -> None:
        """Forget the others."""
        self._rates = self._rates[members]
        self._decays = None if self._decays is None else self._decays[members]
        self._moments = [(total[:, members], square[:, members]) for total, square in self._moments]

    def step(self, variables: Sequence[Array], slopes: Sequence[Array]) -> None:
        """Update variables ``(inputs, members, outputs)`` in place by their slopes, which are used up."""
        if not self._moments:
            least = np.float32(_EPSILON**2 / (1 - _BETA_2))
            self._moments = [(np.zeros_like(variable), np.full_like(variable, least)) for variable in variables]
        rates = self._rates
        if self._steps is not None:
            rates = rates * np.float32(0.5 * (1 + math.cos(math.pi * min(1.0, self._done / self._steps))))
        self._done += 1
        of_sums = (1 - _BETA_1) / math.sqrt(1 - _BETA_2)
        scaled = rates * np.float32(of_sums * math.sqrt(1 - _BETA_2**self._done) / (1 - _BETA_1**self._done))
        for variable, slope, (total, square) in zip(variables, slopes, self._moments, strict=True):
            decays = self._decays if len(variable) > 1 else None  # a bias has one row
            shrink = None if decays is None else 1 - rates * decays
            rows = max(1, _AT_ONCE // variable[0].size)
            rate = _laid_out(scaled, variable, rows)
            shrink = None if shrink is None else _laid_out(shrink, variable, rows)
            for start in range(0, len(variable), rows):
                part = slice(start, start + rows)
                _update(variable[part], slope[part], total[part], square[part], rate, shrink)


def _laid_out(values: Array, variable: Array, rows: int) -> Array:
    """A value of each member for some rows of a variable; where all have the same, that alone."""
    if (values == values[0]).all():
        return values[:1]
    shape = min(rows, len(variable)), *variable.shape[1:]
    return np.ascontiguousarray(np.broadcast_to(values[:, None], shape))


def _update(values: Array, slope: Array, total: Array, square: Array, rate: Array, shrink: Array | None) -> None:
    """One step of Adam for so few values that they stay in the processor's cache; the slope is used up."""
    if shrink is not None:
        values *= shrink[: len(values)]
    total *= np.float32(_BETA_1)
    total += slope
    np.multiply(slope, slope, out=slope)
    square *= np.float32(_BETA_2)
    square += slope
    np.sqrt(square, out=slope)
    np.divide(total, slope, out=slope)
    slope *= rate[: len(values)]
    values -= slope


def _products(left: Array, right: Array) -> Array:
    """Of the matrices of each member: ``(a, members, b)`` and ``(b, members, c)`` to ``(a, members, c)``."""
    found: Array = np.matmul(left.transpose(1, 0, 2), right.transpose(1, 0, 2)).transpose(1, 0, 2)
    return found


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
