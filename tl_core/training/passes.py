"""One batch through the trained part, and the two ways batches get there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.engine.partition import TrainedPart
from tl_core.training.feeds import ArrayFeed, Feed, prefetched
from tl_core.training.losses import Objective

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Sums = npt.NDArray[np.float32]
"""Sums over some images of loss and right answers, ``(2,)``."""

_CHUNK_SECONDS: Final = 0.1  # of training without a look at what happens outside
_RESIDENT_CHECKED: Final = 256  # images judged at once
_STREAMED_CHECKED: Final = 32


@dataclass(frozen=True, slots=True)
class Examples:
    """Which rows of a feed to learn from or to check against."""

    feed: Feed
    rows: Rows  # (m,)
    labels: npt.NDArray[np.int32]  # (m,)
    weights: npt.NDArray[np.float32]  # (m,) of each image in the loss

    def __len__(self) -> int:
        return len(self.rows)


class Passes(Protocol):
    """Takes examples of one feed through the trained part, piece by piece."""

    def learn(self, examples: Examples, order: Rows, batch_size: int) -> Iterator[tuple[int, int, Sums]]:
        """Gives batches, images and sums of each piece."""

    def judge(self, examples: Examples) -> Iterator[tuple[Array, Sums]]:
        """Gives probabilities and sums of each piece."""


class Step:
    """What is done with one batch."""

    def __init__(self, part: TrainedPart, optimizer: keras.Optimizer, objective: Objective) -> None:
        self._part = part
        self._optimizer = optimizer
        self._objective = objective
        self._variables = part.trainable_variables
        optimizer.build(self._variables)

    def learn(self, inputs: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Learn from a batch; gives its sums."""
        count = tf.cast(tf.shape(labels)[0], tf.float32)
        with tf.GradientTape() as tape:
            probabilities = self._part(_as_float(inputs), training=True)
            loss = tf.reduce_mean(self._objective.losses(labels, probabilities) * weights)
            loss = tf.add_n([loss, *self._part.penalties])
            scaled = self._optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [variable.value for variable in self._variables])
        self._optimizer.apply(gradients, self._variables)
        return tf.stack([loss * count, tf.reduce_sum(self._objective.correct(labels, probabilities))])

    def judge(self, inputs: list[tf.Tensor], labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Probabilities of a batch, and its sums."""
        probabilities = self._part(_as_float(inputs), training=False)
        losses = self._objective.losses(labels, probabilities)
        correct = self._objective.correct(labels, probabilities)
        return probabilities, tf.stack([tf.reduce_sum(losses), tf.reduce_sum(correct)])


class ResidentPasses:
    """All inputs lie on the device; one call of a graph gathers many batches from them and learns."""

    def __init__(self, feed: ArrayFeed, step: Step) -> None:
        self._tensors = [tf.convert_to_tensor(np.ascontiguousarray(array)) for array in feed.arrays]
        self._step = step
        self._batches = 4  # per call, adapted to the speed seen
        many, one = (None, None), (None,)
        self._learn = _graph(
            self._learn_batches,
            tf.TensorSpec(many, tf.int32),
            tf.TensorSpec(many, tf.int32),
            tf.TensorSpec(many, tf.float32),
        )
        self._judge = _graph(self._judge_rows, tf.TensorSpec(one, tf.int32), tf.TensorSpec(one, tf.int32))

    def learn(self, examples: Examples, order: Rows, batch_size: int) -> Iterator[tuple[int, int, Sums]]:
        """As many batches per call as take a tenth of a second."""
        start = 0
        while start < len(order):
            batches = max(1, min(self._batches, (len(order) - start) // batch_size))
            chosen = order[start : start + batches * batch_size].reshape(batches, -1)
            began = time.monotonic()
            sums = self._learn(
                tf.constant(examples.rows[chosen], tf.int32),
                tf.constant(examples.labels[chosen], tf.int32),
                tf.constant(examples.weights[chosen]),
            ).numpy()
            self._adapt(batches, time.monotonic() - began)
            start += chosen.size
            yield batches, chosen.size, sums

    def judge(self, examples: Examples) -> Iterator[tuple[Array, Sums]]:
        """A few hundred images per call."""
        for start in range(0, len(examples), _RESIDENT_CHECKED):
            some = slice(start, start + _RESIDENT_CHECKED)
            rows, labels = tf.constant(examples.rows[some], tf.int32), tf.constant(examples.labels[some], tf.int32)
            probabilities, sums = self._judge(rows, labels)
            yield probabilities.numpy(), sums.numpy()

    def _adapt(self, batches: int, seconds: float) -> None:
        wanted = int(batches * _CHUNK_SECONDS / max(seconds, 1e-6))
        self._batches = min(max(1, wanted), 2 * self._batches)

    def _gather(self, rows: tf.Tensor) -> list[tf.Tensor]:
        return [tf.gather(tensor, rows) for tensor in self._tensors]

    def _judge_rows(self, rows: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._step.judge(self._gather(rows), labels)

    def _learn_batches(self, rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Learn from ``(batches, batch)`` rows; ends early, with sums that are not finite, at a broken loss."""

        def still_sound(batch: tf.Tensor, sums: tf.Tensor) -> tf.Tensor:
            return (batch < tf.shape(rows)[0]) & tf.reduce_all(tf.math.is_finite(sums))

        def learn(batch: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return batch + 1, sums + self._step.learn(self._gather(rows[batch]), labels[batch], weights[batch])

        return tf.while_loop(still_sound, learn, (tf.constant(0), tf.zeros(2)))[1]


class StreamedPasses:
    """Inputs are read, or made, batch by batch in another thread, a little ahead."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._graphs: dict[Any, tuple[Any, Any]] = {}

    def learn(self, examples: Examples, order: Rows, batch_size: int) -> Iterator[tuple[int, int, Sums]]:
        """One batch per call."""
        with prefetched(_read_batches(examples, order, batch_size)) as batches:
            for inputs, labels, weights in batches:
                learn, _ = self._graphs_for(inputs)
                yield 1, len(labels), learn(_tensors(inputs), tf.constant(labels), tf.constant(weights)).numpy()

    def judge(self, examples: Examples) -> Iterator[tuple[Array, Sums]]:
        """One batch per call."""
        with prefetched(_read_batches(examples, np.arange(len(examples)), _STREAMED_CHECKED)) as batches:
            for inputs, labels, _ in batches:
                _, judge = self._graphs_for(inputs)
                probabilities, sums = judge(_tensors(inputs), tf.constant(labels))
                yield probabilities.numpy(), sums.numpy()

    def _graphs_for(self, inputs: Sequence[Array]) -> tuple[Any, Any]:
        """Graphs for inputs of these shapes and types, in batches of any size."""
        key = tuple((array.shape[1:], array.dtype.name) for array in inputs)
        if key not in self._graphs:
            specs = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in inputs]
            labels, weights = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
            self._graphs[key] = (
                _graph(self._step.learn, specs, labels, weights),
                _graph(self._step.judge, specs, labels),
            )
        return self._graphs[key]


def _graph(function: Callable[..., Any], *signature: Any) -> Any:
    """Trace once, for these shapes and no others."""
    return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()


def _read_batches(examples: Examples, order: Rows, batch_size: int) -> Iterator[tuple[list[Array], Array, Array]]:
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield examples.feed.read(examples.rows[chosen]), examples.labels[chosen], examples.weights[chosen]


def _tensors(arrays: Sequence[Array]) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(array) for array in arrays]


def _as_float(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
    return [tf.cast(tensor, tf.float32) if tensor.dtype.is_integer else tensor for tensor in inputs]
