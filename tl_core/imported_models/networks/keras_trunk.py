"""The part of a Keras classifier that sees: its layers up to the last feature map, as one flat network."""

from __future__ import annotations

from typing import Any, Final

import keras

from tl_core.errors import ModelFileError

_SCALES: Final = ("Rescaling", "Normalization")
_RANDOM: Final = "Random"  # begins the name of every layer that changes images at random, which inference leaves out


def trunk_of(model: keras.Model) -> keras.Model:
    """The network from images to the last feature map ``(n, h, w, d)``, without models inside it.

    Raises:
        ModelFileError: it has no feature map, or is wired in a way that cannot be taken apart.
    """
    size = model.input_shape[1]
    image = keras.Input((size, size, 3), dtype="float32", name="image")
    try:
        tensor = _flattened(model, [image])[0]
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
    for layer in trunk.layers[1:]:
        if type(layer).__name__ in _SCALES:
            return "built_in"
        if layer.weights:
            return None
    return None


def _flattened(model: keras.Model, inputs: list[Any]) -> list[Any]:
    """The outputs of a model on these inputs, all of its layers called one by one, also those of models inside."""
    made = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
    for operation in keras.Model(model.inputs, model.outputs).operations:  # a Sequential has none of its own
        if isinstance(operation, keras.layers.InputLayer):
            continue
        given = keras.tree.map_structure(lambda tensor: made[id(tensor)], keras.Operation.input.fget(operation))
        outputs = keras.tree.flatten(keras.Operation.output.fget(operation))
        if isinstance(operation, keras.Model):
            found = _flattened(operation, keras.tree.flatten(given))
        elif type(operation).__name__.startswith(_RANDOM):
            found = keras.tree.flatten(given)
        else:
            found = keras.tree.flatten(operation(given))
        made.update({id(tensor): value for tensor, value in zip(outputs, found, strict=True)})
    return [made[id(tensor)] for tensor in model.outputs]
