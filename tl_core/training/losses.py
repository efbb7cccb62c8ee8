"""The loss, the right answers and the class weights of a training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.config import TrainingConfig


class Loss:
    """What a classifier's probabilities are held against; the same for softmax and sigmoid outputs."""

    def __init__(self, config: TrainingConfig, classes: int) -> None:
        self._sigmoid = config.head.output == "sigmoid"
        self._smoothing = config.label_smoothing
        self._classes = classes

    def losses(self, labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
        """Cross-entropy of each image, ``(n,)``.

        Args:
            labels: class indices ``(n,)``.
            probabilities: ``(n, classes)``, or ``(n, 1)`` of the second class.
        """
        if self._sigmoid:
            targets = tf.cast(labels, tf.float32)[:, None]
            return keras.losses.binary_crossentropy(targets, probabilities, label_smoothing=self._smoothing)
        targets = tf.one_hot(labels, self._classes)
        return keras.losses.categorical_crossentropy(targets, probabilities, label_smoothing=self._smoothing)

    def correct(self, labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
        """1 for each image whose most probable class is the right one, else 0; ``(n,)`` float32."""
        if self._sigmoid:
            predicted = tf.cast(probabilities[:, 0] > 0.5, tf.int32)
        else:
            predicted = tf.argmax(probabilities, axis=1, output_type=tf.int32)
        return tf.cast(tf.equal(predicted, tf.cast(labels, tf.int32)), tf.float32)


def sample_weights(config: TrainingConfig, labels: npt.NDArray[Any], classes: int) -> npt.NDArray[np.float32]:
    """One weight per image: all 1, or such that each class counts the same and their mean is 1."""
    if not config.class_weights:
        return np.ones(len(labels), np.float32)
    counts = np.bincount(labels, minlength=classes)
    per_class = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    weights: npt.NDArray[np.float32] = per_class[labels].astype(np.float32)
    return weights
