"""The part of a Keras classifier that sees: its layers up to the last feature map, as one flat network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras

from tl_core.errors import ModelFileError

_SCALES: Final = ("Rescaling", "Normalization", "TrueDivide", "Subtract")  # also as plain operations
_RANDOM: Final = "Random"  # begins the name of every layer that changes images at random, which inference leaves out


def trunk_of(model: keras.Model) -> keras.Model:
    """The network from images to the last feature map ``(n, h, w, d)``, without models inside it.

    Raises:
        ModelFileError: it has no feature map, or is wired in a way that cannot be taken apart.
    """
    size = model.input_shape[1]
    image = keras.Input((size, size, 3), dtype="float32", name="image")
    try:
        tensor = flattened(model, [image], _called)[0]
        while len(tensor.shape) != 4:
            history = tensor._keras_history  # of this call: the layer was called before, in the model it comes from
            tensor = history.operation._inbound_nodes[history.node_index].input_tensors[0]
    except (AttributeError, ValueError, TypeError, IndexError) as error:
        raise ModelFileError(
            "The model has layers that are used several times or take more than images, so its backbone cannot be "
            "told from its head: bring a plain classifier or backbone."
        ) from error
    if isinstance(tensor._keras_history.operation, keras.layers.InputLayer):
        raise ModelFileError("The model has no convolutions, so there is no backbone in it: bring another one.")
    return keras.Model(image, tensor, name="network")


def scaling_of(trunk: keras.Model) -> str | None:
    """*built_in* where the layers themselves scale images of 0 to 255; None where nothing says so."""
    for operation in trunk.operations:
        if type(operation).__name__ in _SCALES:
            return "built_in"
        if getattr(operation, "weights", ()):
            return None
    return None


Call = Callable[[Any, Any, dict[int, Any]], list[Any]]
"""From an operation, its node in a model, and new tensors by the ids of those in the model, to its new outputs."""


def flattened(model: keras.Model, inputs: list[Any], call: Call) -> list[Any]:
    """The outputs of a model on these inputs, all of its layers called one by one."""
    made = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
    pending = list(model.outputs)
    while pending:
        history = pending[-1]._keras_history
        node = history.operation._inbound_nodes[history.node_index]  # of the call that this model is made of
        missing = [tensor for tensor in node.input_tensors if id(tensor) not in made]
        if id(pending[-1]) in made or not missing:
            if id(pending.pop()) not in made or not made.keys() >= {id(tensor) for tensor in node.output_tensors}:
                found = call(history.operation, node, made)
                made.update({id(tensor): value for tensor, value in zip(node.output_tensors, found, strict=True)})
        else:
            pending += missing
    return [made[id(tensor)] for tensor in model.outputs]


def _called(operation: Any, node: Any, made: dict[int, Any]) -> list[Any]:
    given = [made[id(tensor)] for tensor in node.input_tensors]
    if isinstance(operation, keras.Model):
        return flattened(operation, given, _called)
    if type(operation).__name__.startswith(_RANDOM):
        return given
    positions, names = node.arguments.fill_in(made)  # with the numbers of an operation such as ``x / 127.5``
    outputs: list[Any] = keras.tree.flatten(operation(*positions, **names))
    return outputs
