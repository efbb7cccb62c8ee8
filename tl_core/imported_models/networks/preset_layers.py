"""A backbone of KerasHub, rebuilt from plain Keras layers.

KerasHub's networks are made of layers of its own, which a saved model could not be opened without. Each of these is
called once on symbols, which shows the layers and operations inside, until only plain layers are left. What turns
an image into tokens is written out in `_PATCHES`, since its weights belong to no plain layer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers
from keras.src.applications.convnext import LayerScale

from tl_core.errors import ModelFileError
from tl_core.imported_models.networks.keras_trunk import flattened
from tl_core.imported_models.networks.preset import Preprocessing

Array = npt.NDArray[Any]

_LETTERS: Final = re.compile(r"[^A-Za-z0-9_]+")
_LEFT_OUT: Final = (
    "Dropout",
    "GaussianNoise",
    "Identity",
    "Random",
)  # in the name of layers that do nothing in inference
_INITIAL: Final = ("_initializer", "_regularizer", "_constraint")  # ends of what says how to begin a training
_LOWEST: Final = -1e4  # in place of minus infinity, which a saved model cannot hold


@dataclass(frozen=True, slots=True)
class _Patches:
    """Where a layer that turns an image into tokens has its weights, by the names of its attributes."""

    tokens: tuple[str, ...]  # that come before the patches
    projection: str = "patch_embedding"
    positions: str = "position_embedding"  # of these tokens and of the patches
    registers: str = ""  # tokens behind these, without a position


_PATCHES: Final[Mapping[str, _Patches]] = {
    "CLIPVisionEmbedding": _Patches(("class_embedding",)),
    "DINOV2Embedding": _Patches(
        ("cls_token",), "patch_embeddings.projection", "interpolated_position_embeddings", "register_tokens"
    ),
    "DeiTEmbeddings": _Patches(("class_token", "distillation_token")),
    "SigLIPVisionEmbedding": _Patches(()),
    "ViTPatchingAndEmbedding": _Patches(("class_token",)),
}


_IN_A_ROW: Final[Mapping[str, Sequence[str]]] = {"DeiTEncoder": ("encoder_layers", "layer_norm")}
"""Layers that call others one after another, and besides give what cannot be called on symbols."""


@dataclass
class _Rebuilt:
    """A network that is being rebuilt."""

    grid: tuple[int, int] | None = None  # rows and columns of patches
    names: Counter[str] = field(default_factory=Counter)

    def name(self, prefix: str, own: str) -> str:
        """A name that no other layer has."""
        name = _LETTERS.sub("_", "_".join(filter(None, (prefix, own)))).strip("_")[-100:]
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}_at_{self.names[name]}"

    def call(self, prefix: str, operation: Any, node: Any, made: dict[int, Any]) -> list[Any]:
        """The new outputs of one layer or operation."""
        given, named = node.arguments.fill_in(made)
        if isinstance(operation, keras.Model):
            inputs = [made[id(tensor)] for tensor in node.input_tensors]
            return flattened(operation, inputs, partial(self.call, _joined(prefix, operation)))
        if isinstance(operation, layers.Layer):
            found = self._of_layer(prefix, operation, given, named)
            return [*found, *[None] * (len(node.output_tensors) - len(found))]
        build = _OPERATIONS.get(type(operation).__name__)
        if build is None:
            raise _no_layer(type(operation).__name__)
        result = build(_Step(self, prefix, operation, [*given, *named.values()]))
        return list(result) if isinstance(result, (list, tuple)) else [result]

    def _of_layer(self, prefix: str, layer: Any, given: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        kind = type(layer).__name__
        if kind in _PATCHES:
            return [self._patches(prefix, layer, _PATCHES[kind], given[0])]
        if any(word in kind for word in _LEFT_OUT):
            return [given[0]]
        if kind == "HGNetV2LearnableAffineBlock":
            scale, bias = (float(_values(weight, 1)[0, 0]) for weight in (layer.scale, layer.bias))
            return [layers.Rescaling(scale, bias, name=self.name(prefix, layer.name))(given[0])]
        if kind in _IN_A_ROW:
            x, *_ = given
            for part in keras.tree.flatten([getattr(layer, name) for name in _IN_A_ROW[kind]]):
                x, *_ = self._of_layer(_joined(prefix, layer), part, [x], {})
            return [x]
        if type(layer).__module__.startswith("keras.src.layers"):
            return [self._layer(prefix, layer, given, named)]
        return self._inside(prefix, layer, given, named)

    def _layer(self, prefix: str, layer: Any, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """A plain layer, as it is."""
        if named.get("use_causal_mask"):
            raise _no_layer(type(layer).__name__)
        config = {key: value for key, value in layer.get_config().items() if not key.endswith(_INITIAL)}
        config |= {"name": self.name(prefix, layer.name), "dtype": "float32", "trainable": True}
        if "dropout" in config:
            config["dropout"] = 0.0
        activation: Any = config.get("activation")
        own = isinstance(activation, dict)  # a function of KerasHub
        if own:
            config["activation"] = "linear"
        copy = type(layer).from_config(config)
        result = copy(
            *given,
            **{name: value for name, value in named.items() if keras.tree.is_nested(value) or _is_tensor(value)},
        )
        copy.set_weights(layer.get_weights())
        if not own:
            return result
        return _activated(self, prefix, str(activation["config"]).rpartition(">")[2], result)

    def _inside(self, prefix: str, layer: Any, given: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """A layer of KerasHub: what is inside it."""
        inputs: list[Any] = []
        symbols: list[Any] = []

        def symbol(value: Any) -> Any:
            if not _is_tensor(value):
                return value
            inputs.append(value)
            symbols.append(keras.Input(batch_shape=value.shape, dtype=value.dtype))
            return symbols[-1]

        values = {name: value for name, value in named.items() if name != "training"}
        try:
            outputs = layer.call(
                *keras.tree.map_structure(symbol, list(given)), **keras.tree.map_structure(symbol, values)
            )
            found = [tensor for tensor in keras.tree.flatten(outputs) if _is_tensor(tensor)]
            inner = keras.Model(symbols, found)
        except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
            raise _no_layer(type(layer).__name__) from error
        return flattened(inner, inputs, partial(self.call, _joined(prefix, layer)))

    def _patches(self, prefix: str, layer: Any, where: _Patches, image: Any) -> Any:
        """Image to tokens: patches in rows, empty rows before them, and one matrix whose bias has a row per token.

        These rows hold the class token, the registers and the positions, so all of them can be trained.
        """
        projection: Any = layer
        for name in where.projection.split("."):
            projection = getattr(projection, name)
        kernel, *bias = projection.get_weights()
        side, width = kernel.shape[0], kernel.shape[3]
        positions = _values(getattr(layer, where.positions), width)
        if (places := getattr(layer, "position_ids", None)) is not None:
            positions = positions[np.asarray(keras.ops.convert_to_numpy(places)).ravel()]
        tokens = _stacked([getattr(layer, name, None) for name in where.tokens], width)
        registers = _stacked([getattr(layer, where.registers, None) if where.registers else None], width)
        count = len(tokens)
        rows = np.concatenate([tokens + positions[:count], registers, positions[count:] + sum(bias, np.zeros(width))])
        height, breadth = image.shape[1] // side, image.shape[2] // side
        if len(positions) - count != height * breadth:
            raise _no_layer(type(layer).__name__)
        self.grid = (height, breadth)
        left = image.shape[1] % side, image.shape[2] % side
        if any(left):
            image = layers.Cropping2D(((0, left[0]), (0, left[1])), name=self.name(prefix, "whole_patches"))(image)
        x = layers.Reshape((height, side, breadth, side * kernel.shape[2]), name=self.name(prefix, "rows"))(image)
        x = layers.Permute((1, 3, 2, 4), name=self.name(prefix, "patches"))(x)
        x = layers.Reshape((height * breadth, side * side * kernel.shape[2]), name=self.name(prefix, "patch_rows"))(x)
        if before := len(rows) - height * breadth:
            x = layers.ZeroPadding1D((before, 0), name=self.name(prefix, "class_token"))(x)
        embedding = layers.EinsumDense(
            "abc,cd->abd", (len(rows), width), bias_axes="bd", name=self.name(prefix, "patch_embedding")
        )
        x = embedding(x)
        embedding.set_weights([kernel.reshape(-1, width), rows])
        return x


def _joined(prefix: str, layer: Any) -> str:
    return "_".join(filter(None, (prefix, layer.name)))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor)


def _values(weight: Any, width: int) -> Array:
    """A weight, or that of an embedding, as rows."""
    variable = weight.embeddings if isinstance(weight, layers.Embedding) else weight
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float32).reshape(-1, width)


def _stacked(weights: Sequence[Any], width: int) -> Array:
    return np.concatenate(
        [np.zeros((0, width), np.float32), *(_values(one, width) for one in weights if one is not None)]
    )


def _no_layer(kind: str) -> ModelFileError:
    return ModelFileError(
        f"The network uses {kind[:60]} in a way that no plain Keras layer stands for, so it cannot be brought: take "
        "another network of KerasHub, such as a ResNet, a ViT, DINOv2 or SigLIP."
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation: ``x + y``, a reshape, an activation."""

    network: _Rebuilt
    prefix: str
    operation: Any
    given: Sequence[Any]

    @property
    def tensors(self) -> list[Any]:
        """What it is given that depends on the image."""
        return [value for value in keras.tree.flatten(list(self.given)) if _is_tensor(value)]

    @property
    def constant(self) -> Array:
        """The one number, or the numbers, that it is given besides."""
        others = [value for value in self.given if not _is_tensor(value) and value is not None]
        if len(others) != 1 or isinstance(others[0], (list, tuple)):
            raise self.refused()
        return np.asarray(keras.ops.convert_to_numpy(others[0]), np.float32)

    def add(self, layer: Callable[..., Any], *values: Any, **names: Any) -> Any:
        """Call a layer on the tensors."""
        name = self.network.name(self.prefix, type(self.operation).__name__.lower())
        inputs = self.tensors
        return layer(*values, **names, name=name)(inputs if len(inputs) > 1 else inputs[0])

    def refused(self) -> ModelFileError:
        return _no_layer(type(self.operation).__name__)


def _sum(step: _Step) -> Any:
    if len(step.tensors) == 2:
        return step.add(layers.Add)
    return step.add(layers.Rescaling, 1.0, _number(step))


def _product(step: _Step) -> Any:
    if len(step.tensors) == 2:
        return step.add(layers.Multiply)
    scale = step.constant
    if scale.size == 1:
        return step.add(layers.Rescaling, float(scale.ravel()[0]))
    if scale.size != step.tensors[0].shape[-1]:
        raise step.refused()
    layer = LayerScale(1.0, scale.size, name=step.network.name(step.prefix, "scale"))
    result = layer(step.tensors[0])
    layer.set_weights([scale.ravel()])
    return result


def _number(step: _Step) -> float:
    value = step.constant
    if value.size != 1:
        raise step.refused()
    return float(value.ravel()[0])


def _reshaped(step: _Step) -> Any:
    batch, *lengths = step.operation.newshape
    if batch not in (None, -1) or sum(length in (None, -1) for length in lengths) > (batch is None):
        raise step.refused()
    return step.add(layers.Reshape, [-1 if length is None else length for length in lengths])


def _transposed(step: _Step) -> Any:
    axes = step.operation.axes
    if axes is None or axes[0] != 0:
        raise step.refused()
    return step.add(layers.Permute, tuple(axes[1:]))


def _averaged(step: _Step) -> Any:
    axes = {axis % 4 for axis in step.operation.axis or ()}
    if axes != {1, 2} or len(step.tensors[0].shape) != 4:
        raise step.refused()
    return step.add(layers.GlobalAveragePooling2D, keepdims=bool(step.operation.keepdims))


def _padded(step: _Step) -> Any:
    around = [tuple(pair) for pair in step.operation.pad_width]
    filled = [value for value in step.given if isinstance(value, (int, float))] or [0]
    if len(around) != 4 or around[0] != (0, 0) or around[3] != (0, 0) or step.operation.mode != "constant":
        raise step.refused()
    if filled[0] == 0:
        return step.add(layers.ZeroPadding2D, (around[1], around[2]))
    return keras.ops.pad(step.tensors[0], around, constant_values=max(float(filled[0]), _LOWEST))


def _function(name: str) -> Callable[[_Step], Any]:
    return lambda step: step.add(layers.Activation, name)


def _gelu(step: _Step) -> Any:
    return keras.ops.gelu(step.tensors[0]) if step.operation.approximate else step.add(layers.Activation, "gelu")


def _activated(network: _Rebuilt, prefix: str, function: str, x: Any) -> Any:
    """The activation functions that KerasHub has for itself."""
    if function == "gelu_approximate":
        return keras.ops.gelu(x, approximate=True)
    if function == "quick_gelu":
        gate = layers.Rescaling(1.702, name=network.name(prefix, "gate_scale"))(x)
        gate = layers.Activation("sigmoid", name=network.name(prefix, "gate"))(gate)
        return layers.Multiply(name=network.name(prefix, "quick_gelu"))([x, gate])
    raise _no_layer(function)


_OPERATIONS: Final[Mapping[str, Callable[[_Step], Any]]] = {
    "Add": _sum,
    "Subtract": lambda step: step.add(layers.Subtract),
    "Multiply": _product,
    "TrueDivide": lambda step: step.add(layers.Rescaling, 1 / _number(step)),
    "Divide": lambda step: step.add(layers.Rescaling, 1 / _number(step)),
    "Split": lambda step: keras.ops.split(
        step.tensors[0], step.operation.indices_or_sections, axis=step.operation.axis
    ),
    "Concatenate": lambda step: step.add(layers.Concatenate, axis=step.operation.axis),
    "Reshape": _reshaped,
    "Transpose": _transposed,
    "Mean": _averaged,
    "Pad": _padded,
    "Gelu": _gelu,
    "Relu": _function("relu"),
    "Relu6": _function("relu6"),
    "Sigmoid": _function("sigmoid"),
    "HardSigmoid": _function("hard_sigmoid"),
    "Silu": _function("silu"),
    "HardSilu": _function("hard_silu"),
    "Tanh": _function("tanh"),
    "Softmax": _function("softmax"),
}


def image_part(backbone: keras.Model) -> keras.Model:
    """The part of a backbone that sees: from images to its last map or its last tokens, before any pooling."""
    tower = getattr(backbone, "vision_encoder", backbone)
    found = tower.output
    tensor = found["sequence_output"] if isinstance(found, dict) and "sequence_output" in found else tower.outputs[0]
    while len(tensor.shape) < 3:
        history = tensor._keras_history
        tensor = history.operation._inbound_nodes[history.node_index].input_tensors[0]
    return keras.Model(tower.inputs, tensor)


def network_of_backbone(seeing: keras.Model, preprocessing: Preprocessing | None, image_size: int) -> keras.Model:
    """Rebuild a network of KerasHub, from images to a feature map ``(n, h, w, d)``.

    Tokens become a map: the class token and registers are cut off, the others stand as their patches do in the image.

    Args:
        seeing: from `image_part`.
        preprocessing: becomes its first layer; with it the network takes images of 0 to 255.
        image_size: width and height that the network is built for.

    Raises:
        ModelFileError: it has a part that no plain layer stands for.
    """
    rebuilt = _Rebuilt()
    image = x = keras.Input((image_size, image_size, 3), dtype="float32", name="image")
    if preprocessing is not None:
        scale, offset = (
            list(numbers) if len(numbers) > 1 else numbers[0]
            for numbers in (preprocessing.scale, preprocessing.offset)
        )
        x = layers.Rescaling(scale, offset, name=rebuilt.name("", "rescaling"))(image)
    x = flattened(seeing, [x], partial(rebuilt.call, ""))[0]
    if len(x.shape) == 3:
        x = _as_map(x, rebuilt)
    return keras.Model(image, x, name="network")


def _as_map(tokens: Any, rebuilt: _Rebuilt) -> Any:
    if rebuilt.grid is None:
        raise _no_layer("a list of tokens without places in the image")
    height, width = rebuilt.grid
    if before := tokens.shape[1] - height * width:
        tokens = layers.Cropping1D((before, 0), name=rebuilt.name("", "patch_tokens"))(tokens)
    return layers.Reshape((height, width, tokens.shape[-1]), name=rebuilt.name("", "map"))(tokens)
