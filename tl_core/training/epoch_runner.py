"""One epoch over the images, training or validation, checked for a stop and for a loss that is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from tl_core.features.partition import TrainedPart
from tl_core.training.inputs import Array, CachedFeatures, Inputs, Rows, Subset
from tl_core.training.loops import InMemoryLoop, Loop, Step, StreamingLoop
from tl_core.training.losses import Loss

ON_DEVICE_BYTES: Final = 256 << 20  # features up to this size are copied to the device and gathered from there


class Interrupted(Exception):  # noqa: N818  # not an error: it was requested
    """A stop was requested in the middle of an epoch."""


class NotFinite(Exception):  # noqa: N818  # becomes a DivergedError with a sentence where the phase is known
    """The loss of a batch was infinite or not a number."""


@dataclass(frozen=True, slots=True)
class Batches:
    """What a batch gave; loss and accuracy are means per image."""

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


class EpochRunner:
    """Trains one part of a model with one optimizer.

    Cached features that are small go to the device as a whole, and each batch is gathered from them inside the
    training graph: a head trains on thousands of images in a fraction of a second. Others are read batch by batch.
    """

    def __init__(
        self, part: TrainedPart, optimizer: keras.Optimizer, loss: Loss, should_stop: Callable[[], bool]
    ) -> None:
        self._part = part
        self._should_stop = should_stop
        self._step = Step(part, optimizer, loss)
        self._loops: dict[Inputs, Loop] = {}  # which holds the inputs, too: no others can be mistaken for them

    def train_epoch(self, subset: Subset, order: Rows, batch_size: int, report: Callable[[Batches], None]) -> Result:
        """Train on all images once, in this order, and report every batch.

        Raises:
            Interrupted: a stop was requested.
            NotFinite: the loss of a batch was not finite.
        """
        total_loss = total_correct = 0.0
        batches, total = self._loop_of(subset.inputs).train(subset, order, batch_size), -(-len(order) // batch_size)
        for done, (images, sums) in enumerate(batches, start=1):
            loss, correct = float(sums[0]), float(sums[1])
            if not math.isfinite(loss):
                raise NotFinite
            total_loss, total_correct = total_loss + loss, total_correct + correct
            report(Batches(done, total, loss / images, correct / images, images))
            if self._should_stop():
                raise Interrupted
        return Result(total_loss / len(order), total_correct / len(order), np.empty(0))

    def evaluate(self, subset: Subset, *, should_stop: Callable[[], bool] | None = None) -> Result:
        """Loss, weighted as in the training, accuracy and probabilities, without learning.

        Another ``should_stop`` takes the place of the training's own.

        Raises:
            Interrupted: a stop was requested.
        """
        totals = np.zeros(2)
        probabilities = []
        for answers, sums in self._loop_of(subset.inputs).test(subset):
            totals += sums
            probabilities.append(answers)
            if (should_stop or self._should_stop)():
                raise Interrupted
        loss, accuracy = totals / len(subset)
        penalty = float(sum(self._part.penalties, start=tf.constant(0.0)))
        return Result(float(loss) + penalty, float(accuracy), np.concatenate(probabilities))

    def _loop_of(self, inputs: Inputs) -> Loop:
        if inputs not in self._loops:
            if isinstance(inputs, CachedFeatures) and inputs.bytes <= ON_DEVICE_BYTES:
                self._loops[inputs] = InMemoryLoop(inputs, self._step)
            else:
                self._loops[inputs] = StreamingLoop(self._step)
        return self._loops[inputs]
