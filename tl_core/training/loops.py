"""One batch through the trained part, and the two ways batches get there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.features.partition import TrainedPart
from tl_core.features.prefetch import prefetched
from tl_core.training.inputs import CachedFeatures, Feed
from tl_core.training.losses import Loss

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Sums = npt.NDArray[np.float32]
"""Sums over some images of loss and right answers, ``(2,)``."""

_RESIDENT_CHECKED: Final = 256  # images judged at once
_GROUP: Final = 5  # batches learned from in one call, where ...
_GROUPED_FROM: Final = 10  # ... an epoch has so many, because the longer graph takes a fifth of a second to trace
_STREAMED_CHECKED: Final = 32


@dataclass(frozen=True, slots=True)
class Subset:
    """Which rows of a feed to learn from or to check against."""

    feed: Feed
    rows: Rows  # (m,)
    labels: npt.NDArray[np.int32]  # (m,)
    weights: npt.NDArray[np.float32]  # (m,) of each image in the loss

    def __len__(self) -> int:
        return len(self.rows)


class Loop(Protocol):
    """Takes examples of one feed through the trained part, piece by piece."""

    def learn(self, examples: Subset, order: Rows, batch_size: int) -> Iterator[tuple[int, Sums]]:
        """Gives images and sums of each batch."""

    def judge(self, examples: Subset) -> Iterator[tuple[Array, Sums]]:
        """Gives probabilities and sums of each piece."""


class Step:
    """What is done with one batch."""

    def __init__(self, part: TrainedPart, optimizer: keras.Optimizer, objective: Loss) -> None:
        self._part = part
        self._optimizer = optimizer
        self._objective = objective
        self._variables = part.trainable_variables
        optimizer.build(self._variables)
        # Keras sums gradients over devices, of which there is one, with a custom gradient; TensorFlow registers
        # that for ever, and with it the whole graph and the stored features: 20 MB lost with every run.
        optimizer._all_reduce_sum_gradients = list

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


class InMemoryLoop:
    """All inputs lie on the device; a graph gathers a batch from them and learns.

    A batch of flat features takes a head about a millisecond, of which Python and the start of the graph are a third,
    and each call may have to wait for a page that Python is drawing. So several such batches are learned from in one
    call, one after the other, with the same result. The first epoch goes batch by batch: it comes sooner, and a
    training that diverges at once ends at once.
    """

    def __init__(self, feed: CachedFeatures, step: Step) -> None:
        self._tensors = [tf.convert_to_tensor(np.ascontiguousarray(array)) for array in feed.arrays]
        self._step = step
        whole, real = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
        self._learn = _graph(self._learn_rows, whole, whole, real)
        self._judge = _graph(self._judge_rows, whole, whole)
        self._flat = all(array.ndim == 2 for array in feed.arrays)
        self._epochs = 0
        wholes, reals = tf.TensorSpec((_GROUP, None), tf.int32), tf.TensorSpec((_GROUP, None), tf.float32)
        self._learn_group = _graph(self._learn_rows_in_turn, wholes, wholes, reals)

    def learn(self, examples: Subset, order: Rows, batch_size: int) -> Iterator[tuple[int, Sums]]:
        """One batch per call, or a few that take hardly any time."""
        grouped, self._epochs = 0, self._epochs + 1
        if self._flat and self._epochs > 1 and len(order) >= _GROUPED_FROM * batch_size:
            grouped = len(order) // (_GROUP * batch_size) * _GROUP * batch_size
            for chosen in order[:grouped].reshape(-1, _GROUP, batch_size):
                for sums in self._learn_group(*_drawn(examples, chosen)).numpy():
                    yield batch_size, sums
        for start in range(grouped, len(order), batch_size):
            chosen = order[start : start + batch_size]
            yield len(chosen), self._learn(*_drawn(examples, chosen)).numpy()

    def judge(self, examples: Subset) -> Iterator[tuple[Array, Sums]]:
        """A few hundred images per call."""
        for start in range(0, len(examples), _RESIDENT_CHECKED):
            some = slice(start, start + _RESIDENT_CHECKED)
            rows, labels = tf.constant(examples.rows[some], tf.int32), tf.constant(examples.labels[some])
            probabilities, sums = self._judge(rows, labels)
            yield probabilities.numpy(), sums.numpy()

    def _gather(self, rows: tf.Tensor) -> list[tf.Tensor]:
        return [tf.gather(tensor, rows) for tensor in self._tensors]

    def _learn_rows(self, rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return self._step.learn(self._gather(rows), labels, weights)

    def _learn_rows_in_turn(self, rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        # Written out, because TensorFlow never frees the body of a `tf.while_loop`.
        return tf.stack([self._learn_rows(rows[turn], labels[turn], weights[turn]) for turn in range(_GROUP)])

    def _judge_rows(self, rows: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._step.judge(self._gather(rows), labels)


class StreamingLoop:
    """Inputs are read, or made, batch by batch in another thread, a little ahead."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._graphs: dict[Any, tuple[Any, Any]] = {}

    def learn(self, examples: Subset, order: Rows, batch_size: int) -> Iterator[tuple[int, Sums]]:
        """One batch per call."""
        with prefetched(_read_batches(examples, order, batch_size)) as batches:
            for inputs, labels, weights in batches:
                learn, _ = self._graphs_for(inputs)
                yield len(labels), learn(_tensors(inputs), tf.constant(labels), tf.constant(weights)).numpy()

    def judge(self, examples: Subset) -> Iterator[tuple[Array, Sums]]:
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
    """Trace once, for these shapes and no others.

    A `tf.function` frees its graph when it goes; what `get_concrete_function` gives never does.
    """
    return tf.function(function, input_signature=signature, autograph=False)


def _drawn(examples: Subset, chosen: Rows) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Rows of the feed, labels and weights, each of the shape of ``chosen``."""
    rows, labels = tf.constant(examples.rows[chosen], tf.int32), tf.constant(examples.labels[chosen])
    return rows, labels, tf.constant(examples.weights[chosen])


def _read_batches(examples: Subset, order: Rows, batch_size: int) -> Iterator[tuple[list[Array], Array, Array]]:
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield examples.feed.read(examples.rows[chosen]), examples.labels[chosen], examples.weights[chosen]


def _tensors(arrays: Sequence[Array]) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(array) for array in arrays]


def _as_float(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
    return [tf.cast(tensor, tf.float32) if tensor.dtype.is_integer else tensor for tensor in inputs]
