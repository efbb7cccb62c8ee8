"""A classifier as two halves: what is run once over the images, and what is trained on its output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import tensorflow as tf

from tl_core.features.cache import ArraySpec
from tl_core.models.classifier import Classifier, as_list, beside, flipped
from tl_core.models.head import POOLING
from tl_core.models.taps import tap_sizes, tapped_layer, tapped_maps


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
    seen: tuple[ArraySpec, ...] = ()  # what the frozen half sees besides, see `tl_core.models.taps`; for one image
    looking: Callable[[tf.Tensor], list[tf.Tensor]] | None = None  # uint8 images -> cut, and what is seen besides


class TrainedPart:
    """From the cut tensors to probabilities.

    The backbone's layers are always called in inference mode, also while they are trained. Keras cannot be left to
    do so: a functional model overrides the ``training=False`` of a nested one with its own ``training=True``.
    """

    def __init__(
        self, stages: Sequence[keras.Model], head: keras.Model, *, mirrored: bool = False, of_images: bool = False
    ) -> None:
        self.stages = tuple(stages)  # of the backbone; none where the head alone is trained
        self._head = head
        self._mirrored = mirrored  # the second half of the inputs is of the mirror images
        self._of_images = of_images  # the inputs are the images themselves

    def __call__(self, inputs: Sequence[tf.Tensor], training: bool) -> tf.Tensor:
        """Probabilities ``(n, classes)`` or ``(n, 1)``, float32."""
        if not self._mirrored:
            return self._head(self._through(inputs), training=training)
        if self._of_images:
            inputs = [*inputs, *map(flipped, inputs)]
        half = len(inputs) // 2
        return self._head(beside(self._through(inputs[:half]), self._through(inputs[half:])), training=training)

    def _through(self, inputs: Sequence[tf.Tensor]) -> Any:
        """The maps that the stages make."""
        x: Any = list(inputs) if len(inputs) > 1 else inputs[0]
        for stage in self.stages:
            x = stage(x, training=False)
        return x

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


def partition_classifier(classifier: Classifier, frozen_layers: int, backbone: str | None = None) -> Partition:
    """Cut a classifier behind the first ``frozen_layers`` layers of its backbone.

    With the whole backbone frozen the head's pooling goes to the frozen half as well: it has no weights, and
    what is left to store is one vector per image in place of a map.

    Args:
        classifier: to cut.
        frozen_layers: of its backbone.
        backbone: its name in the registry; with it a backbone that is wholly frozen is looked into.
    """
    if frozen_layers >= len(classifier.base.layers):
        partition = _at_the_head(classifier)
        return partition if backbone is None else _looked_into(partition, classifier, backbone)
    trunk, tail = split_backbone(classifier.features, frozen_layers)
    mirrored = classifier.mirrored
    if trunk.outputs[0] is classifier.features.input:
        image = ArraySpec((classifier.image_size, classifier.image_size, 3), "uint8")
        stages = [classifier.preprocess, classifier.features]
        trained = TrainedPart(stages, classifier.head, mirrored=mirrored, of_images=True)
        return Partition("images", None, (), (image,), trained)

    def frozen(images: tf.Tensor) -> list[tf.Tensor]:
        scaled = _scaled(classifier, images)
        views = [scaled, flipped(scaled)] if mirrored else [scaled]
        return [tensor for view in views for tensor in keras.tree.flatten(trunk(view, training=False))]

    outputs = tuple(map(_spec, trunk.outputs)) * (2 if mirrored else 1)
    name = f"{frozen_layers} layers{_looked_at(classifier)}"
    trained = TrainedPart([tail], classifier.head, mirrored=mirrored)
    return Partition(name, frozen, tuple(trunk.weights), outputs, trained)


def _at_the_head(classifier: Classifier) -> Partition:
    head = classifier.head
    pooling = head.get_layer(POOLING)
    pooled = keras.Model(head.inputs, pooling.output, name="pooled")
    rest = keras.Model(pooling.output, head.output, name="head_after_pooling")

    def frozen(images: tf.Tensor) -> list[tf.Tensor]:
        return [pooled(as_list(classifier.maps(_scaled(classifier, images))))]

    kinds = [type(layer).__name__ for layer in pooled.layers if not isinstance(layer, keras.layers.InputLayer)]
    name, weights = f"all layers, {kinds[0]}{_looked_at(classifier)}", tuple(classifier.features.weights)
    if len(kinds) > 1:
        name += f", {len(kinds) - 1} poolings"
    return Partition(name, frozen, weights, (_spec(pooling.output),), TrainedPart([], rest))


def _looked_into(partition: Partition, classifier: Classifier, backbone: str) -> Partition:
    layer = tapped_layer(backbone, classifier.base)
    pooling = classifier.head.get_layer(POOLING)
    pooled = keras.Model(classifier.head.inputs, pooling.output, name="pooled")
    maps_and_taps = tapped_maps(classifier, layer)

    def looking(images: tf.Tensor) -> list[tf.Tensor]:
        maps, taps = maps_and_taps(_scaled(classifier, images))
        return [pooled(as_list(maps)), *taps]

    seen = tuple(ArraySpec((size,), "float32") for size in tap_sizes(classifier, layer))
    return replace(partition, looking=looking, seen=seen)


def _looked_at(classifier: Classifier) -> str:
    """Part of a cut's name: what the head looks at besides the last block of the image as it is."""
    blocks = len(classifier.features.outputs)
    several = f", {blocks} blocks" if blocks > 1 else ""
    return several + (", mirrored" if classifier.mirrored else "")


def weights_fingerprint(weights: Sequence[keras.Variable]) -> str:
    """Sha256 over the values of the weights."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(str(weight.shape).encode())
        digest.update(memoryview(weight.value.numpy()).cast("B"))
    return digest.hexdigest()


def _scaled(classifier: Classifier, images: tf.Tensor) -> tf.Tensor:
    return classifier.preprocess(tf.cast(images, tf.float32), training=False)


def _spec(tensor: keras.KerasTensor) -> ArraySpec:
    """How the values of one image are stored; NumPy files cannot hold bfloat16."""
    return ArraySpec(tuple(tensor.shape[1:]), "float32" if tensor.dtype == "bfloat16" else tensor.dtype)


def split_backbone(base: keras.Model, frozen_layers: int) -> tuple[keras.Model, keras.Model]:
    """Split ``base`` between its first ``frozen_layers`` layers and the others.

    Args:
        base: functional model with one input and one or several outputs of known size.
        frozen_layers: 0 to ``len(base.layers)``.

    Returns:
        The trunk, from images to a list of cut tensors, and the tail, from these to the backbone's features. They
        share the layers of ``base``, so training the tail trains the backbone. ``tail(trunk(images))`` equals
        ``base(images)``; both must be called with ``training=False``: BatchNormalization stays in inference mode.
    """
    cut = cut_tensors(base, frozen_layers)
    made = {id(tensor) for tensor in cut}
    # Where the tail is empty Keras needs a layer between its input and its output.
    features = [keras.layers.Identity()(output) if id(output) in made else output for output in base.outputs]
    tail = keras.Model(cut, features if len(features) > 1 else features[0], name="tail")
    return keras.Model(base.input, cut, name="trunk"), tail


def cut_tensors(base: keras.Model, frozen_layers: int) -> list[keras.KerasTensor]:
    """The tensors that frozen layers make and trainable ones use: 1 to 6, because of skip connections."""
    frozen = _frozen_operations(base, frozen_layers)
    cut: dict[int, keras.KerasTensor] = {}
    for operation in base.operations:
        if operation in frozen:
            continue
        for tensor in _inputs(operation):
            if _maker(tensor) in frozen:
                cut.setdefault(id(tensor), tensor)
    for output in base.outputs:
        if _maker(output) in frozen:
            cut.setdefault(id(output), output)
    return list(cut.values()) or [base.input]


def _frozen_operations(base: keras.Model, frozen_layers: int) -> set[keras.Operation]:
    """The first layers, and the plain operations (such as ``+``) that depend on nothing else."""
    frozen: set[keras.Operation] = set(base.layers[:frozen_layers])
    layers = set(base.layers)
    for operation in base.operations:  # in topological order
        if operation not in layers and all(_maker(tensor) in frozen for tensor in _inputs(operation)):
            frozen.add(operation)
    return frozen


def _inputs(operation: keras.Operation) -> Sequence[keras.KerasTensor]:
    """The tensors the operation was first called on.

    `keras.Operation.input` is asked directly, because a nested model such as ConvNeXt's stem returns for ``input``
    with the tensor inside it.
    """
    if isinstance(operation, keras.layers.InputLayer):
        return []
    inputs: list[keras.KerasTensor] = keras.tree.flatten(keras.Operation.input.fget(operation))
    return inputs


def _maker(tensor: keras.KerasTensor) -> keras.Operation:
    return tensor._keras_history.operation
