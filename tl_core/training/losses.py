"""The loss, the right predictions and the class weights of a training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Labels = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]


class Loss:
    """Cross-entropy of a classifier's probabilities; the same for softmax and sigmoid outputs."""

    def __init__(self, output: str, classes: int, label_smoothing: float = 0.0) -> None:
        self._sigmoid = output == "sigmoid"
        self._smoothing = label_smoothing
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


def balanced_class_weights(labels: npt.ArrayLike, classes: int) -> Weights:
    """One weight per class ``(classes,)``, such that with these training labels each class counts the same."""
    counts = np.bincount(labels, minlength=classes)
    weights: Weights = (counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)
    return weights


def sample_weights(labels: npt.NDArray[Any], class_weights: Weights | None) -> Weights:
    """One weight per image ``(n,)`` of mean 1; all 1 without class weights."""
    if class_weights is None or not len(labels):
        return np.ones(len(labels), np.float32)
    weights = class_weights[labels]
    scaled: Weights = weights / weights.mean()
    return scaled
