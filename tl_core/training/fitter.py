"""One pass over the images, forwards or with learning, checked for a wish to stop and for a broken loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.engine.partition import TrainedPart
from tl_core.training.feeds import ArrayFeed, Feed, prefetched
from tl_core.training.losses import Objective

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

RESIDENT_BYTES: Final = 256 << 20  # arrays up to this size are copied to the device and gathered from there
_CHUNK_SECONDS: Final = 0.1  # of training without a look at what happens outside
_EVALUATION_BATCH: Final = 256


class Interrupted(Exception):  # noqa: N818  # no error: the person wished it
    """The person asked to stop in the middle of an epoch."""


class NotFinite(Exception):  # noqa: N818  # becomes a DivergedError with a sentence where the phase is known
    """The loss of a batch was infinite or not a number."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Which rows of a feed to learn from or to check against."""

    feed: Feed
    rows: Rows  # (m,)
    labels: npt.NDArray[np.int32]  # (m,)
    weights: npt.NDArray[np.float32]  # (m,) of each image in the loss

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Batches:
    """What some consecutive batches gave; losses and accuracies are means per image."""

    done: int  # batches of this epoch so far
    total: int
    loss: float
    accuracy: float
    images: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a pass over all images gave."""

    loss: float
    accuracy: float
    probabilities: Array  # (m, outputs) of an evaluation; empty while learning


class Fitter:
    """Trains one part of a model with one optimizer.

    Stored inputs that are small go to the device as a whole, and many batches are trained in one call of a
    TensorFlow graph: a head learns thousands of images in milliseconds. Others are read batch by batch.
    """

    def __init__(
        self,
        part: TrainedPart,
        optimizer: keras.Optimizer,
        objective: Objective,
        should_stop: Callable[[], bool],
    ) -> None:
        self.optimizer = optimizer
        self._part = part
        self._objective = objective
        self._should_stop = should_stop
        self._variables = part.trainable_variables
        self._resident: dict[int, _Resident] = {}
        optimizer.build(self._variables)
        self._train_one = tf.function(self._learn, reduce_retracing=True, autograph=False)
        self._evaluate_one = tf.function(self._judge, reduce_retracing=True, autograph=False)

    def train_epoch(
        self, examples: Examples, order: Rows, batch_size: int, report: Callable[[Batches], None]
    ) -> Result:
        """Learn from all examples once.

        Args:
            order: a permutation of the examples.
            report: told after every few batches.

        Raises:
            Interrupted: the person asked to stop.
            NotFinite: the loss of a batch was not finite.
        """
        totals = _Totals(-(-len(order) // batch_size), report)
        for count, images, sums in self._trained(examples, order, batch_size):
            totals.add(count, images, np.asarray(sums))
            if not np.isfinite(totals.loss):
                raise NotFinite
            if self._should_stop():
                raise Interrupted
        return Result(totals.loss / len(order), totals.correct / len(order), np.empty(0))

    def evaluate(self, examples: Examples, *, interruptible: bool = True) -> Result:
        """Loss, accuracy and probabilities without learning; the loss is not weighted.

        Raises:
            Interrupted: the person asked to stop.
        """
        loss = correct = 0.0
        probabilities = []
        for labels, inputs in self._evaluation_batches(examples):
            answer, sums = self._evaluate_one(inputs, labels)
            loss, correct = loss + float(sums[0]), correct + float(sums[1])
            probabilities.append(answer.numpy())
            if interruptible and self._should_stop():
                raise Interrupted
        penalty = float(sum(self._part.penalties, start=tf.constant(0.0)))
        return Result(loss / len(examples) + penalty, correct / len(examples), np.concatenate(probabilities))

    def _trained(self, examples: Examples, order: Rows, batch_size: int) -> Iterator[tuple[int, int, Any]]:
        """Learn piece by piece; gives batches, images and the sums of loss and right answers of each piece."""
        resident = self._resident_arrays(examples)
        if resident is not None:
            yield from resident.train(examples, order, batch_size)
            return
        with prefetched(_read_batches(examples, order, batch_size)) as batches:
            for inputs, labels, weights in batches:
                yield 1, len(labels), self._train_one(_tensors(inputs), labels, weights)

    def _evaluation_batches(self, examples: Examples) -> Iterator[tuple[Any, list[tf.Tensor]]]:
        resident = self._resident_arrays(examples)
        length = _EVALUATION_BATCH if resident is not None else 32
        positions = np.arange(len(examples))
        if resident is not None:
            for start in range(0, len(examples), length):
                rows = tf.constant(examples.rows[start : start + length], tf.int32)
                yield tf.constant(examples.labels[start : start + length]), resident.gather(rows)
            return
        with prefetched(_read_batches(examples, positions, length)) as batches:
            for inputs, labels, _ in batches:
                yield labels, _tensors(inputs)

    def _resident_arrays(self, examples: Examples) -> _Resident | None:
        feed = examples.feed
        if not isinstance(feed, ArrayFeed) or feed.bytes > RESIDENT_BYTES:
            return None
        if id(feed) not in self._resident:
            self._resident[id(feed)] = _Resident(feed, self._learn)
        return self._resident[id(feed)]

    def _learn(self, inputs: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Learn from one batch; gives the sums over its images of loss and right answers, ``(2,)``."""
        count = tf.cast(tf.shape(labels)[0], tf.float32)
        with tf.GradientTape() as tape:
            probabilities = self._part(_as_float(inputs), training=True)
            loss = tf.reduce_mean(self._objective.losses(labels, probabilities) * weights)
            loss = tf.add_n([loss, *self._part.penalties])
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply(tape.gradient(scaled, _values(self._variables)), self._variables)
        return tf.stack([loss * count, tf.reduce_sum(self._objective.correct(labels, probabilities))])

    def _judge(self, inputs: list[tf.Tensor], labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        probabilities = self._part(_as_float(inputs), training=False)
        losses = self._objective.losses(labels, probabilities)
        correct = self._objective.correct(labels, probabilities)
        return probabilities, tf.stack([tf.reduce_sum(losses), tf.reduce_sum(correct)])


class _Resident:
    """Arrays on the device, and a graph that gathers batches from them and learns."""

    def __init__(self, feed: ArrayFeed, learn: Callable[..., tf.Tensor]) -> None:
        self._tensors = _tensors([np.ascontiguousarray(array) for array in feed.arrays])
        self._learn = learn
        self._steps = 4  # batches per call, adapted to the speed seen
        signature = [
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None), tf.float32),
        ]
        self._train_some = tf.function(self._train_batches, input_signature=signature, autograph=False)
        self.gather = tf.function(self._gather, reduce_retracing=True, autograph=False)

    def train(self, examples: Examples, order: Rows, batch_size: int) -> Iterator[tuple[int, int, Any]]:
        """Learn from the examples in this order, as many batches per call as take a tenth of a second."""
        start = 0
        while start < len(order):
            steps = max(1, min(self._steps, (len(order) - start) // batch_size))
            chosen = order[start : start + steps * batch_size].reshape(steps, -1)
            began = time.monotonic()
            sums = self._train_some(
                tf.constant(examples.rows[chosen], tf.int32),
                tf.constant(examples.labels[chosen], tf.int32),
                tf.constant(examples.weights[chosen]),
            ).numpy()
            self._adapt(steps, time.monotonic() - began)
            start += chosen.size
            yield steps, chosen.size, sums

    def _adapt(self, steps: int, seconds: float) -> None:
        wanted = int(steps * _CHUNK_SECONDS / max(seconds, 1e-6))
        self._steps = min(max(1, wanted), 2 * self._steps)

    def _gather(self, rows: tf.Tensor) -> list[tf.Tensor]:
        return [tf.gather(tensor, rows) for tensor in self._tensors]

    def _train_batches(self, rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Learn from ``(steps, batch)`` rows; ends early, with a sum that is not finite, at a broken loss."""

        def still_sound(step: tf.Tensor, sums: tf.Tensor) -> tf.Tensor:
            return (step < tf.shape(rows)[0]) & tf.reduce_all(tf.math.is_finite(sums))

        def learn(step: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return step + 1, sums + self._learn(self._gather(rows[step]), labels[step], weights[step])

        return tf.while_loop(still_sound, learn, (tf.constant(0), tf.zeros(2)))[1]


class _Totals:
    """Running sums of an epoch, told to ``report`` piece by piece."""

    def __init__(self, batches: int, report: Callable[[Batches], None]) -> None:
        self.loss = 0.0
        self.correct = 0.0
        self._done = 0
        self._batches = batches
        self._report = report

    def add(self, batches: int, images: int, sums: Array) -> None:
        loss, correct = float(sums[0]), float(sums[1])
        self.loss, self.correct, self._done = self.loss + loss, self.correct + correct, self._done + batches
        if np.isfinite(loss):
            self._report(Batches(self._done, self._batches, loss / images, correct / images, images))


def _read_batches(examples: Examples, order: Rows, batch_size: int) -> Iterator[tuple[list[Array], Array, Array]]:
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield examples.feed.read(examples.rows[chosen]), examples.labels[chosen], examples.weights[chosen]


def _tensors(arrays: Sequence[Array]) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(array) for array in arrays]


def _as_float(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
    return [tf.cast(tensor, tf.float32) if tensor.dtype.is_integer else tensor for tensor in inputs]


def _values(variables: Sequence[keras.Variable]) -> list[Any]:
    return [variable.value for variable in variables]
