"""A frozen TensorFlow graph of an image network, rebuilt from Keras layers.

Each operation has one function in `_OPERATIONS`, from its node and inputs to a Keras tensor, and those that can be
computed beforehand one in `_CONSTANTS`. What has neither is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

from tl_core.errors import ModelFileError

Array = npt.NDArray[Any]
Value = Any
"""A Keras tensor; an array, where it depends on no image; or a `_Linear` layer that may still get its bias."""

_LETTERS: Final = re.compile(r"[^A-Za-z0-9_]+")
_CALLS: Final = ("StatefulPartitionedCall", "PartitionedCall", "ReadVariableOp")  # say nothing in a layer's name
_NAMED_PARTS: Final = 4  # last parts of an operation's name that its layer is called by
_ENDS: Final = ("Reshape", "Flatten", "Identity", "GlobalAveragePooling2D")  # after the feature map


@dataclass
class _Graph:
    """A graph that is being rebuilt."""

    nodes: Mapping[str, Any]  # `NodeDef` by name
    values: dict[str, Value] = field(default_factory=dict)
    users: Counter[str] = field(default_factory=Counter)  # how often a node is used
    weights: list[tuple[keras.Layer, list[Array]]] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)

    def name_of(self, node: Any) -> str:
        """A name for the layer of a node, by which people know it in a list."""
        parts = [part for part in node.name.split("/") if not part.startswith(_CALLS)]
        name = _LETTERS.sub("_", "_".join(parts[-_NAMED_PARTS:])).strip("_")[-80:] or node.op.lower()
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}_{self.names[name] - 1}"

    def add(self, layer: keras.Layer, value: Value, weights: Sequence[Array] = ()) -> Value:
        """Call a layer; its weights are set when the network is whole."""
        if weights:
            self.weights.append((layer, list(weights)))
        return layer(value)


@dataclass
class _Linear:
    """A layer without bias, until it is known whether the next operation adds one."""

    channels: int
    build: Callable[[Array | None], Value]  # with the bias ``(channels,)``
    made: Value = None

    def tensor(self) -> Value:
        """Its output without a bias."""
        if self.made is None:
            self.made = self.build(None)
        return self.made


def network_of_graph(graph: Any, image: str, output: str, image_size: int) -> keras.Model:
    """Rebuild a frozen graph, from images to one output.

    Args:
        graph: a ``GraphDef`` without variables and without calls of functions.
        image: name of its placeholder for images ``(n, h, w, 3)``, float32.
        output: name of the node that gives the features, ``(n, d)`` or ``(n, h, w, d)``.
        image_size: width and height that the network is built for.

    Raises:
        ModelFileError: it has an operation that no layer stands for, or is no network of images.
    """
    found = _Graph({node.name: node for node in graph.node})
    start = keras.Input((image_size, image_size, 3), dtype="float32", name="image")
    output = _resolved(found, output)
    order = _needed(found, image, output)
    for name in order:
        found.users.update(_resolved(found, entry) for entry in _data_inputs(found.nodes[name]))
    for name in order:
        found.values[name] = start if name == image else _value(found, found.nodes[name])
    features = _tensor(found.values[output])
    if isinstance(features, np.ndarray):
        raise ModelFileError("The network gives the same for every image, so there is nothing to learn from it.")
    model = keras.Model(start, features, name="network")
    for layer, weights in found.weights:
        layer.set_weights(weights)
    return model


def feature_map(model: keras.Model) -> keras.Model:
    """The same network up to its last feature map ``(n, h, w, d)``: heads bring a pooling of their own.

    One that ends in something else than the mean of a map gives its features as a map of one place.
    """
    tensor = model.output
    while type(operation := tensor._keras_history.operation).__name__ in _ENDS:
        tensor = keras.Operation.input.fget(operation)
    if len(tensor.shape) != 4:
        tensor = layers.Reshape((1, 1, tensor.shape[-1]), name="features")(tensor)
    return keras.Model(model.input, tensor, name="network")


def _data_inputs(node: Any) -> list[str]:
    return [entry for entry in node.input if not entry.startswith("^")]


def _resolved(graph: _Graph, entry: str) -> str:
    """The same value by the operation that makes it; IdentityN, around a custom gradient, passes several on."""
    name, _, place = entry.partition(":")
    while name in graph.nodes and graph.nodes[name].op == "IdentityN":
        name, _, place = _data_inputs(graph.nodes[name])[int(place or 0)].partition(":")
    return name if place in ("", "0") else f"{name}:{place}"


def _needed(graph: _Graph, image: str, output: str) -> list[str]:
    """The names of the nodes that the output depends on, each after those it uses."""
    order: list[str] = []
    done: set[str] = set()
    pending = [(output, False)]
    while pending:
        name, used = pending.pop()
        if used:
            order.append(name)
        elif name not in done:
            done.add(name)
            pending.append((name, True))
            if name not in graph.nodes:
                raise ModelFileError("The graph of the network is incomplete: download it again.")
            if name != image:
                pending += [(_resolved(graph, entry), False) for entry in _data_inputs(graph.nodes[name])]
    return order


def _tensor(value: Value) -> Value:
    return value.tensor() if isinstance(value, _Linear) else value


def _value(graph: _Graph, node: Any) -> Value:
    inputs = [graph.values[_resolved(graph, entry)] for entry in _data_inputs(node)]
    fold = _CONSTANTS.get(node.op)
    if fold is not None and all(isinstance(value, np.ndarray) for value in inputs):
        return np.asarray(fold(node, *inputs))
    build = _OPERATIONS.get(node.op)
    if build is None:
        raise _no_layer(node)
    if node.op not in _ADDITIONS:
        inputs = [_tensor(value) for value in inputs]
    value = build(graph, node, inputs)
    return _tensor(value) if graph.users[node.name] > 1 else value


def _no_layer(node: Any) -> ModelFileError:
    return ModelFileError(
        f"The network uses the operation {node.op[:60]} in a way that no Keras layer stands for, so it cannot be "
        "brought: take another version of it, or a network made of convolutions."
    )


def _text(node: Any, name: str) -> str:
    return bytes(node.attr[name].s).decode()


def _pair(node: Any, name: str) -> tuple[int, int]:
    """Height and width of an attribute with four entries, of which the outer two have to be 1."""
    entries = list(node.attr[name].list.i) or [1, 1, 1, 1]
    if len(entries) != 4 or (entries[0], entries[3]) != (1, 1) or _text(node, "data_format") not in ("", "NHWC"):
        raise _no_layer(node)
    return int(entries[1]), int(entries[2])


def _slice(node: Any, values: Array, begin: Array, end: Array, step: Array) -> Array:
    """A part of a shape."""
    first = None if node.attr["begin_mask"].i & 1 else int(begin[0])
    last = None if node.attr["end_mask"].i & 1 else int(end[0])
    if node.attr["shrink_axis_mask"].i & 1:
        return np.asarray(values[int(begin[0])])
    return np.asarray(values[first : last : int(step[0])])


# Values that depend on no image: weights, sizes, axes.
_CONSTANTS: Final[Mapping[str, Callable[..., Any]]] = {
    "Const": lambda node: tf.make_ndarray(node.attr["value"].tensor),
    "Identity": lambda _, x: x,
    "StopGradient": lambda _, x: x,
    "PlaceholderWithDefault": lambda _, x: x,
    "Cast": lambda node, x: x.astype(tf.dtypes.as_dtype(node.attr["DstT"].type).as_numpy_dtype),
    "Rsqrt": lambda _, x: 1 / np.sqrt(x),
    "Sqrt": lambda _, x: np.sqrt(x),
    "Neg": lambda _, x: -x,
    "Mul": lambda _, x, y: x * y,
    "Add": lambda _, x, y: x + y,
    "AddV2": lambda _, x, y: x + y,
    "Sub": lambda _, x, y: x - y,
    "RealDiv": lambda _, x, y: x / y,
    "Reshape": lambda _, x, shape: x.reshape(shape),
    "Squeeze": lambda _, x: np.squeeze(x),
    "ExpandDims": lambda _, x, axis: np.expand_dims(x, int(axis)),
    "Pack": lambda node, *values: np.stack(values, int(node.attr["axis"].i)),
    "ConcatV2": lambda _, *values: np.concatenate(values[:-1], int(values[-1])),
    "StridedSlice": _slice,
}


def _same(_graph: _Graph, _node: Any, inputs: Sequence[Value]) -> Value:
    return inputs[0]


def _constant(node: Any, value: Value) -> Array:
    if not isinstance(value, np.ndarray):
        raise _no_layer(node)
    return value


def _padded(graph: _Graph, node: Any, x: Value) -> tuple[Value, str]:
    padding = _text(node, "padding")
    if padding != "EXPLICIT":
        return x, padding.lower()
    around = list(node.attr["explicit_paddings"].list.i)
    layer = layers.ZeroPadding2D(((around[2], around[3]), (around[4], around[5])), name=f"{graph.name_of(node)}_pad")
    return graph.add(layer, x), "valid"


def _convolution(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    kernel = _constant(node, inputs[1])
    x, padding = _padded(graph, node, inputs[0])
    depthwise = node.op == "DepthwiseConv2dNative"
    how: dict[str, Any] = {
        "strides": _pair(node, "strides"),
        "padding": padding,
        "dilation_rate": _pair(node, "dilations"),
        "name": graph.name_of(node),
    }
    channels = kernel.shape[2] * kernel.shape[3] if depthwise else kernel.shape[3]

    def build(bias: Array | None) -> Value:
        how["use_bias"] = bias is not None
        if depthwise:
            layer = layers.DepthwiseConv2D(kernel.shape[:2], depth_multiplier=kernel.shape[3], **how)
        else:
            groups = x.shape[-1] // kernel.shape[2]
            layer = layers.Conv2D(kernel.shape[3], kernel.shape[:2], groups=groups, **how)
        return graph.add(layer, x, [kernel] if bias is None else [kernel, bias])

    return _Linear(channels, build)


def _dense(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    kernel = _constant(node, inputs[1])
    if node.attr["transpose_a"].b:
        raise _no_layer(node)
    kernel = kernel.T if node.attr["transpose_b"].b else kernel
    name = graph.name_of(node)

    def build(bias: Array | None) -> Value:
        layer = layers.Dense(kernel.shape[1], use_bias=bias is not None, name=name)
        return graph.add(layer, inputs[0], [kernel] if bias is None else [kernel, bias])

    return _Linear(kernel.shape[1], build)


def _batch_norm(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    if node.attr["is_training"].b or _text(node, "data_format") not in ("", "NHWC"):
        raise _no_layer(node)
    layer = layers.BatchNormalization(epsilon=float(node.attr["epsilon"].f), name=graph.name_of(node))
    return graph.add(layer, inputs[0], [_constant(node, value) for value in inputs[1:5]])


def _scaled(graph: _Graph, node: Any, x: Value, scale: Array) -> Value:
    """Times a number, or a number for each channel; one that is added afterwards goes into the same layer."""
    channels = int(x.shape[-1])
    if scale.size not in (1, channels):
        raise _no_layer(node)
    name = graph.name_of(node)

    def build(bias: Array | None) -> Value:
        if bias is None and (scale == 1).all():
            return x
        offset = np.zeros(channels) if bias is None else bias
        if channels == 3 or (scale.size == 1 and np.ptp(offset) == 0):  # of an image, or the same everywhere
            return graph.add(layers.Rescaling(_plain(scale), _plain(offset), name=name), x)
        weights = [np.broadcast_to(scale.ravel(), channels), offset, np.zeros(channels), np.ones(channels)]
        return graph.add(layers.BatchNormalization(epsilon=0.0, name=name), x, weights)

    return _Linear(channels, build)


def _plain(values: Array) -> Any:
    """A number where all are the same, else a list."""
    flat = [float(value) for value in values.ravel()]
    return flat[0] if len(set(flat)) == 1 else flat


def _plus(graph: _Graph, node: Any, x: Value, bias: Array) -> Value:
    linear = x if isinstance(x, _Linear) else _scaled(graph, node, x, np.ones(1))
    if bias.size not in (1, linear.channels):
        raise _no_layer(node)
    return linear.build(np.broadcast_to(bias.ravel(), linear.channels))


def _add(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    arrays = [value for value in inputs if isinstance(value, np.ndarray)]
    others = [value for value in inputs if not isinstance(value, np.ndarray)]
    if arrays:
        return _plus(graph, node, others[0], sum(arrays[1:], arrays[0]))
    return layers.Add(name=graph.name_of(node))([_tensor(value) for value in others])


def _subtract(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    first, second = inputs
    if isinstance(second, np.ndarray):
        return _plus(graph, node, first, -second)
    if isinstance(first, np.ndarray):
        return _plus(graph, node, _scaled(graph, node, _tensor(second), -np.ones(1)), first)
    return layers.Subtract(name=graph.name_of(node))([_tensor(first), _tensor(second)])


def _multiply(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    first, second = inputs
    if isinstance(first, np.ndarray):
        first, second = second, first
    if isinstance(second, np.ndarray):
        return _scaled(graph, node, first, second)
    return layers.Multiply(name=graph.name_of(node))([first, second])


def _divide(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    return _scaled(graph, node, inputs[0], 1 / _constant(node, inputs[1]).astype(np.float64))


def _pool(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    size, strides = _pair(node, "ksize"), _pair(node, "strides")
    padding, name, x = _text(node, "padding").lower(), graph.name_of(node), inputs[0]
    if padding == "explicit":
        raise _no_layer(node)
    if node.op == "MaxPool":
        return layers.MaxPooling2D(size, strides, padding, name=name)(x)
    if size == tuple(x.shape[1:3]) and padding == "valid":
        return layers.GlobalAveragePooling2D(keepdims=True, name=name)(x)
    return layers.AveragePooling2D(size, strides, padding, name=name)(x)


def _mean(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    x, axes = inputs[0], {int(axis) % 4 for axis in _constant(node, inputs[1]).ravel()}
    if axes != {1, 2} or len(x.shape) != 4:
        raise _no_layer(node)
    return layers.GlobalAveragePooling2D(keepdims=bool(node.attr["keep_dims"].b), name=graph.name_of(node))(x)


def _pad(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    around = _constant(node, inputs[1])
    filled = _constant(node, inputs[2]) if len(inputs) > 2 else np.zeros(1)
    if around.shape != (4, 2) or around[[0, 3]].any() or filled.any():
        raise _no_layer(node)
    sides = tuple((int(before), int(after)) for before, after in around[1:3])
    return layers.ZeroPadding2D(sides, name=graph.name_of(node))(inputs[0])


def _concatenate(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    *parts, axis = inputs
    if int(_constant(node, axis)) % 4 != 3 or any(isinstance(part, np.ndarray) for part in parts):
        raise _no_layer(node)
    return layers.Concatenate(name=graph.name_of(node))(parts)


def _reshape(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    x, target = inputs[0], [int(length) for length in _constant(node, inputs[1]).ravel()]
    if len(target) < 2 or 0 in target or (target[0] != -1 and -1 not in target[1:]):
        raise _no_layer(node)
    return layers.Reshape(target[1:], name=graph.name_of(node))(x)


def _squeeze(graph: _Graph, node: Any, inputs: Sequence[Value]) -> Value:
    x = inputs[0]
    dropped = {int(axis) % len(x.shape) for axis in node.attr["squeeze_dims"].list.i}
    if 0 in dropped or any(x.shape[axis] != 1 for axis in dropped):
        raise _no_layer(node)
    axes = [axis for axis in range(1, len(x.shape)) if (axis not in dropped if dropped else x.shape[axis] != 1)]
    return layers.Reshape([x.shape[axis] for axis in axes], name=graph.name_of(node))(x)


def _shape(_graph: _Graph, _node: Any, inputs: Sequence[Value]) -> Value:
    """Of one batch, whatever its length."""
    return np.array([-1, *inputs[0].shape[1:]], np.int32)


def _activation(make: Callable[[Any, str], keras.Layer]) -> Callable[[_Graph, Any, Sequence[Value]], Value]:
    return lambda graph, node, inputs: make(node, graph.name_of(node))(inputs[0])


def _named(kind: str) -> Callable[[_Graph, Any, Sequence[Value]], Value]:
    return _activation(lambda _node, name: layers.Activation(kind, name=name))


_ADDITIONS: Final = frozenset({"BiasAdd", "Add", "AddV2", "Sub"})  # may become the bias of the layer before
_OPERATIONS: Final[Mapping[str, Callable[[_Graph, Any, Sequence[Value]], Value]]] = {
    "Identity": _same,
    "StopGradient": _same,
    "PreventGradient": _same,
    "Cast": _same,  # a proof compares what comes out
    "Shape": _shape,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _convolution,
    "MatMul": _dense,
    "BiasAdd": _add,
    "Add": _add,
    "AddV2": _add,
    "AddN": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "RealDiv": _divide,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "Relu": _activation(lambda _node, name: layers.ReLU(name=name)),
    "Relu6": _activation(lambda _node, name: layers.ReLU(6.0, name=name)),
    "LeakyRelu": _activation(lambda node, name: layers.ReLU(negative_slope=float(node.attr["alpha"].f), name=name)),
    "Elu": _named("elu"),
    "Selu": _named("selu"),
    "Sigmoid": _named("sigmoid"),
    "Tanh": _named("tanh"),
    "Softplus": _named("softplus"),
    "Softmax": _named("softmax"),
    "MaxPool": _pool,
    "AvgPool": _pool,
    "Mean": _mean,
    "Pad": _pad,
    "PadV2": _pad,
    "ConcatV2": _concatenate,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
}
