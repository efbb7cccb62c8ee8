"""A step of training or testing, and the two ways in which it gets batches: gathered on the device, or streamed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.features.partition import TrainedPart
from tl_core.features.prefetch import prefetched
from tl_core.training.inputs import Array, CachedFeatures, Rows, Subset
from tl_core.training.losses import Loss

Sums = npt.NDArray[np.float32]
"""Sums over some images of loss and right answers, ``(2,)``."""

_TESTED_IN_MEMORY: Final = 256  # images at once
_TESTED_STREAMING: Final = 32
_GROUP: Final = 5  # training batches in one call, where ...
_GROUPED_FROM: Final = 10  # ... an epoch has so many, because the longer graph takes a fifth of a second to trace
_AHEAD_ON_GPU: Final = 3  # steps that a GPU is told of before the sums of the first are read


class Step:
    """One batch through the trained part."""

    def __init__(self, part: TrainedPart, optimizer: keras.Optimizer, loss: Loss) -> None:
        self._part = part
        self._optimizer = optimizer
        self._loss = loss
        self._variables = part.trainable_variables
        optimizer.build(self._variables)
        # Keras sums gradients over devices, of which there is one, with a custom gradient; TensorFlow registers
        # that for ever, and with it the whole graph and the stored features: 20 MB lost with every run.
        optimizer._all_reduce_sum_gradients = list

    def train_step(self, inputs: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Train on a batch; returns its sums of loss and right predictions, ``(2,)``."""
        count = tf.cast(tf.shape(labels)[0], tf.float32)
        with tf.GradientTape() as tape:
            probabilities = self._part(_as_float(inputs), training=True)
            loss = tf.reduce_mean(self._loss.losses(labels, probabilities) * weights)
            loss = tf.add_n([loss, *self._part.penalties])
            scaled = self._optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [variable.value for variable in self._variables])
        self._optimizer.apply(gradients, self._variables)
        return tf.stack([loss * count, tf.reduce_sum(self._loss.correct(labels, probabilities))])

    def test_step(
        self, inputs: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Probabilities of a batch, and its sums."""
        probabilities = self._part(_as_float(inputs), training=False)
        losses = self._loss.losses(labels, probabilities) * weights
        return probabilities, tf.stack(
            [tf.reduce_sum(losses), tf.reduce_sum(self._loss.correct(labels, probabilities))]
        )


def _as_float(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
    return [tf.cast(tensor, tf.float32) if tensor.dtype.is_integer else tensor for tensor in inputs]


class InMemoryLoop:
    """All inputs are on the device; a graph gathers a batch from them and trains.

    A batch of flat features takes a head about a millisecond, of which Python and the start of the graph are a third,
    and each call may have to wait for a page that Python is drawing. So several such batches are trained in one
    call, one after the other, with the same result. The first epoch goes batch by batch: it comes sooner, and a
    training that diverges at once ends at once.
    """

    def __init__(self, features: CachedFeatures, step: Step) -> None:
        self._tensors = [tf.convert_to_tensor(np.ascontiguousarray(array)) for array in features.arrays]
        self._step = step
        whole, real = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
        self._train = _graph(self._train_rows, whole, whole, real)
        self._test = _graph(self._test_rows, whole, whole, real)
        self._flat = all(array.ndim == 2 for array in features.arrays)
        self._epochs = 0
        wholes, reals = tf.TensorSpec((_GROUP, None), tf.int32), tf.TensorSpec((_GROUP, None), tf.float32)
        self._train_group = _graph(self._train_rows_in_turn, wholes, wholes, reals)

    def train(self, subset: Subset, order: Rows, batch_size: int) -> Iterator[tuple[int, Sums]]:
        """Yield images and sums of each batch: one batch per call, or a few that take hardly any time."""
        grouped, self._epochs = 0, self._epochs + 1
        if self._flat and self._epochs > 1 and len(order) >= _GROUPED_FROM * batch_size:
            grouped = len(order) // (_GROUP * batch_size) * _GROUP * batch_size
            for chosen in order[:grouped].reshape(-1, _GROUP, batch_size):
                for sums in self._train_group(*_drawn(subset, chosen)).numpy():
                    yield batch_size, sums
        starts = range(grouped, len(order), batch_size)
        pieces = (order[start : start + batch_size] for start in starts)
        yield from read_behind((len(chosen), self._train(*_drawn(subset, chosen))) for chosen in pieces)

    def test(self, subset: Subset) -> Iterator[tuple[Array, Sums]]:
        """Yield probabilities and sums of a few hundred images at a time."""
        for start in range(0, len(subset), _TESTED_IN_MEMORY):
            chosen = np.arange(start, min(start + _TESTED_IN_MEMORY, len(subset)))
            probabilities, sums = self._test(*_drawn(subset, chosen))
            yield probabilities.numpy(), sums.numpy()

    def _gather(self, rows: tf.Tensor) -> list[tf.Tensor]:
        return [tf.gather(tensor, rows) for tensor in self._tensors]

    def _train_rows(self, rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return self._step.train_step(self._gather(rows), labels, weights)

    def _train_rows_in_turn(self, rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        # Written out, because TensorFlow never frees the body of a `tf.while_loop`.
        return tf.stack([self._train_rows(rows[turn], labels[turn], weights[turn]) for turn in range(_GROUP)])

    def _test_rows(self, rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._step.test_step(self._gather(rows), labels, weights)


class StreamingLoop:
    """Inputs are read, or made, batch by batch in another thread, a little ahead."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._graphs: dict[Any, tuple[Any, Any]] = {}

    def train(self, subset: Subset, order: Rows, batch_size: int) -> Iterator[tuple[int, Sums]]:
        with prefetched(_read_batches(subset, order, batch_size)) as batches:
            yield from read_behind(self._steps(batches))

    def _steps(self, batches: Iterable[tuple[list[Array], Array, Array]]) -> Iterator[tuple[int, tf.Tensor]]:
        for inputs, labels, weights in batches:
            train, _ = self._graphs_for(inputs)
            yield len(labels), train(_tensors(inputs), tf.constant(labels), tf.constant(weights))

    def test(self, subset: Subset) -> Iterator[tuple[Array, Sums]]:
        with prefetched(_read_batches(subset, np.arange(len(subset)), _TESTED_STREAMING)) as batches:
            for inputs, labels, weights in batches:
                _, test = self._graphs_for(inputs)
                probabilities, sums = test(_tensors(inputs), tf.constant(labels), tf.constant(weights))
                yield probabilities.numpy(), sums.numpy()

    def _graphs_for(self, inputs: Sequence[Array]) -> tuple[Any, Any]:
        """Graphs for inputs of these shapes and types, in batches of any size."""
        key = tuple((array.shape[1:], array.dtype.name) for array in inputs)
        if key not in self._graphs:
            specs = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in inputs]
            labels, weights = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
            self._graphs[key] = (
                _graph(self._step.train_step, specs, labels, weights),
                _graph(self._step.test_step, specs, labels, weights),
            )
        return self._graphs[key]


Loop = InMemoryLoop | StreamingLoop
"""Takes subsets of one source of inputs through the trained part, piece by piece."""


def read_behind(steps: Iterable[tuple[int, tf.Tensor]], ahead: int | None = None) -> Iterator[tuple[int, Sums]]:
    """The sums of each step in turn, read while the device works on later ones.

    Reading waits for the device. A GPU, which works while Python goes on, would stand still until it is told the next
    step; a CPU has ended a step when the call returns.

    Args:
        steps: images and sums of each step, which is begun when it is drawn.
        ahead: steps begun before the first is read; by itself a few on a GPU, and none on a CPU.
    """
    if ahead is None:
        ahead = _AHEAD_ON_GPU if tf.config.list_logical_devices("GPU") else 0
    begun: deque[tuple[int, tf.Tensor]] = deque()
    for step in steps:
        begun.append(step)
        if len(begun) > ahead:
            images, sums = begun.popleft()
            yield images, sums.numpy()
    for images, sums in begun:
        yield images, sums.numpy()


def _graph(function: Callable[..., Any], *signature: Any) -> Any:
    """Trace once, for these shapes and no others.

    A `tf.function` frees its graph when it is deleted; a concrete function never does.
    """
    return tf.function(function, input_signature=signature, autograph=False)


def _drawn(subset: Subset, chosen: Rows) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Rows of the inputs, labels and weights, each of the shape of ``chosen``."""
    rows, labels = tf.constant(subset.rows[chosen], tf.int32), tf.constant(subset.labels[chosen])
    return rows, labels, tf.constant(subset.weights[chosen])


def _read_batches(subset: Subset, order: Rows, batch_size: int) -> Iterator[tuple[list[Array], Array, Array]]:
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield subset.inputs.read(subset.rows[chosen]), subset.labels[chosen], subset.weights[chosen]


def _tensors(arrays: Sequence[Array]) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(array) for array in arrays]
