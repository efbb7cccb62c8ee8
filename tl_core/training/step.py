"""What is done with one batch: a step of training, and one of testing."""

from __future__ import annotations

import keras
import tensorflow as tf

from tl_core.features.partition import TrainedPart
from tl_core.training.losses import Loss


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
