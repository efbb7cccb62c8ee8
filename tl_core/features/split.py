"""Splitting a backbone into the frozen trunk, which never changes, and the tail that is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras


@dataclass(frozen=True, slots=True)
class Split:
    """A backbone as two models that share its layers, so training the tail trains the backbone.

    ``tail(trunk(images))`` equals ``base(images)``; both must be called with ``training=False``, which keeps
    BatchNormalization in inference mode.
    """

    frozen_layers: int
    trunk: keras.Model  # images -> list of cut tensors
    tail: keras.Model  # list of cut tensors -> the backbone's features
    shapes: tuple[tuple[int, ...], ...]  # of the cut tensors, without the batch


def split_backbone(base: keras.Model, frozen_layers: int) -> Split:
    """Split ``base`` between its first ``frozen_layers`` layers and the others.

    Args:
        base: functional model with one input and one output of known size.
        frozen_layers: 0 to ``len(base.layers)``.
    """
    cut = cut_tensors(base, frozen_layers)
    return Split(
        frozen_layers=frozen_layers,
        trunk=keras.Model(base.input, cut, name="trunk"),
        tail=keras.Model(cut, _features(base, cut), name="tail"),
        shapes=tuple(tuple(tensor.shape[1:]) for tensor in cut),
    )


def _features(base: keras.Model, cut: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """The tail's output; where the tail is empty Keras needs a layer between its input and its output."""
    return keras.layers.Identity()(base.output) if cut[0] is base.output else base.output


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
    if _maker(base.output) in frozen:
        cut.setdefault(id(base.output), base.output)
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
