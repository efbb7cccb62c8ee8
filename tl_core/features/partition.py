"""A classifier as two halves: what is run once over the images, and what is trained on its output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tl_core.features.cache import ArraySpec
from tl_core.features.split import split_backbone
from tl_core.models.classifier import Classifier

POOLING = "pooling"  # the head's first layer, which has no weights


@dataclass(frozen=True, slots=True)
class Partition:
    """The frozen half as a function of images, the trained half as a function of its outputs.

    Both share the layers of the classifier, so training the trained half trains the classifier.
    """

    name: str  # of the cut, part of what the stored outputs are known by
    frozen: Callable[[tf.Tensor], list[tf.Tensor]] | None  # uint8 images -> cut; None: the images are the cut
    frozen_weights: tuple[keras.Variable, ...]
    outputs: tuple[ArraySpec, ...]  # of the cut, for one image
    trained: TrainedPart


class TrainedPart:
    """From the cut tensors to probabilities.

    The backbone's layers are always called in inference mode, also while they are trained. Keras cannot be left to
    do so: a functional model overrides the ``training=False`` of a nested one with its own ``training=True``.
    """

    def __init__(self, stages: Sequence[keras.Model], head: keras.Model) -> None:
        self.stages = tuple(stages)  # of the backbone; none where the head alone is trained
        self._head = head

    def __call__(self, inputs: Sequence[tf.Tensor], training: bool) -> tf.Tensor:
        """Probabilities ``(n, classes)`` or ``(n, 1)``, float32."""
        x: Any = list(inputs) if len(inputs) > 1 else inputs[0]
        for stage in self.stages:
            x = stage(x, training=False)
        return self._head(x, training=training)

    @property
    def variables(self) -> list[keras.Variable]:
        """Every variable that training can change, random states included."""
        return [variable for model in (*self.stages, self._head) for variable in model.variables]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that get gradients."""
        return [variable for model in (*self.stages, self._head) for variable in model.trainable_variables]

    @property
    def penalties(self) -> list[tf.Tensor]:
        """Regularization losses of the current weights."""
        return list(self._head.losses)


def partition_classifier(classifier: Classifier, frozen_layers: int) -> Partition:
    """Cut a classifier behind the first ``frozen_layers`` layers of its backbone.

    With the whole backbone frozen the head's pooling goes to the frozen half as well: it has no weights, and
    what is left to store is one vector per image in place of a map.
    """
    if frozen_layers >= len(classifier.base.layers):
        return _at_the_head(classifier)
    split = split_backbone(classifier.base, frozen_layers)
    specs = tuple(
        ArraySpec(shape, _stored(tensor.dtype))
        for shape, tensor in zip(split.shapes, split.trunk.outputs, strict=True)
    )
    if split.trunk.outputs[0] is classifier.base.input:
        image = ArraySpec((classifier.image_size, classifier.image_size, 3), "uint8")
        trained = TrainedPart([classifier.preprocess, classifier.base], classifier.head)
        return Partition("images", None, (), (image,), trained)

    def frozen(images: tf.Tensor) -> list[tf.Tensor]:
        return list(keras.tree.flatten(split.trunk(_scaled(classifier, images), training=False)))

    return Partition(
        name=f"{frozen_layers} layers",
        frozen=frozen,
        frozen_weights=tuple(split.trunk.weights),
        outputs=specs,
        trained=TrainedPart([split.tail], classifier.head),
    )


def _at_the_head(classifier: Classifier) -> Partition:
    pooling = classifier.head.get_layer(POOLING)
    rest = keras.Model(pooling.output, classifier.head.output, name="head_after_pooling")

    def frozen(images: tf.Tensor) -> list[tf.Tensor]:
        return [pooling(classifier.base(_scaled(classifier, images), training=False))]

    return Partition(
        name=f"all layers, {type(pooling).__name__}",
        frozen=frozen,
        frozen_weights=tuple(classifier.base.weights),
        outputs=(ArraySpec(tuple(pooling.output.shape[1:]), _stored(pooling.output.dtype)),),
        trained=TrainedPart([], rest),
    )


def weights_fingerprint(weights: Sequence[keras.Variable]) -> str:
    """Sha256 over the values of the weights."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(str(weight.shape).encode())
        digest.update(memoryview(weight.value.numpy()).cast("B"))
    return digest.hexdigest()


def _scaled(classifier: Classifier, images: tf.Tensor) -> tf.Tensor:
    return classifier.preprocess(tf.cast(images, tf.float32), training=False)


def _stored(dtype: str) -> str:
    """NumPy files cannot hold bfloat16."""
    return "float32" if dtype == "bfloat16" else dtype
