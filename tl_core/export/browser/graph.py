"""A Keras model as a graph of the operations that TensorFlow.js knows, all of its values constants.

TensorFlow's own optimizer (grappler) folds constants and batch normalization; what it leaves is done here. So does
the converter of TensorFlow.js (``tf_saved_model_conversion_v2.py`` of the package ``tensorflowjs``), which cannot be
installed beside this TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tl_core.backbones.registry import BACKBONES
from tl_core.errors import ExportError
from tl_core.export.browser.graph_model import STORED, write_graph_model
from tl_core.export.browser.library import TENSORFLOW_JS, ensure_library, known_operations
from tl_core.export.building import OUTPUTS, Source, freeze

Graph: TypeAlias = Any
"""``tf.compat.v1.GraphDef``."""
Node: TypeAlias = Any
"""``tf.compat.v1.NodeDef``."""

# Without remapping, which makes operations of TensorFlow's own processor kernels.
OPTIMIZERS: Final = ("pruning", "constfold", "arithmetic", "dependency") * 2
MOST_BYTES: Final = 300_000_000
"""Of weights: as text they are a third more, and no browser holds a text of over 500 MB."""


def build_browser_model(source: Source, target: Path) -> None:
    """The folder ``target`` with ``model.json`` and the weights beside it.

    Raises:
        ExportError: TensorFlow.js cannot compute the model, or it is too large for a page; nothing is written then.
    """
    library = ensure_library(source.run.workspace)
    frozen = freeze(source.model_with_features)
    outputs = [tensor.op.name for tensor in frozen.outputs]
    graph = optimized(frozen.graph.as_graph_def(), outputs)
    backbone = BACKBONES.get(source.run.config.backbone)
    require_computable(graph, known_operations(library), backbone.title if backbone else source.run.name)
    write_graph_model(graph, frozen.inputs[0], dict(zip(OUTPUTS, frozen.outputs, strict=False)), target)


def optimized(graph: Graph, outputs: list[str]) -> Graph:
    """The same function with fewer operations, and only with those that have to be."""
    for rewrite in (_without_erfc, _by_grappler(outputs), _depthwise_in_place_of_groups, _folded_into_depthwise):
        graph = rewrite(graph)
    return _only_for(graph, outputs)


def require_computable(graph: Graph, known: frozenset[str], title: str) -> None:
    """Refuse what TensorFlow.js would stumble over.

    Args:
        graph: optimized.
        known: names of the operations that it has.
        title: of the network.

    Raises:
        ExportError: with the operations that it lacks.
    """
    lacking = sorted({node.op for node in graph.node} - known)
    if not lacking and any(_in_groups(graph)):
        lacking = ["Conv2D in groups"]
    if lacking:
        raise ExportError(
            f"{title} cannot run in a web page, because {TENSORFLOW_JS.title} does not have these of its operations: "
            f"{', '.join(lacking)}. Choose another format, or train with another backbone."
        )
    values = [node.attr["value"].tensor for node in graph.node if node.op == "Const"]
    other = sorted({_as_numpy(value.dtype).name for value in values if _as_numpy(value.dtype) not in STORED})
    if other:
        raise ExportError(
            f"{title} cannot run in a web page, because {TENSORFLOW_JS.title} has no numbers of these types: "
            f"{', '.join(other)}. Choose another format."
        )
    size = sum(4 * math.prod(dim.size for dim in value.tensor_shape.dim) for value in values)
    if size > MOST_BYTES:
        raise ExportError(
            f"{title} is too large for a web page: its weights have {size / 1e6:,.0f} MB, and a page holds "
            f"{MOST_BYTES / 1e6:.0f}. Choose another format, or train with a smaller backbone."
        )


def _without_erfc(graph: Graph) -> Graph:
    """1 - erf(x) in place of its complement, with which Keras computes ``gelu``."""
    new = _copy(graph)
    for node in graph.node:
        if node.op == "Erfc":
            one, erf = f"{node.name}/one", f"{node.name}/erf"
            new.node.append(_constant(one, np.array(1, np.float32)))
            added = new.node.add(name=erf, op="Erf", input=node.input)
            added.attr["T"].CopyFrom(node.attr["T"])
            added = new.node.add(name=node.name, op="Sub", input=[one, erf])
            added.attr["T"].CopyFrom(node.attr["T"])
        else:
            new.node.append(node)
    return new


def _depthwise_in_place_of_groups(graph: Graph) -> Graph:
    """A convolution with one channel in each of its groups as what it is."""
    channels = {name: size for name, size, filters in _convolutions(graph) if filters == 1 < size}
    new, constants = _copy(graph), _constants(graph)
    for node in graph.node:
        added = new.node.add()
        added.CopyFrom(node)
        if node.name in channels and (values := constants.get(_source(node.input[1]))) is not None:
            height, width, _, outputs = values.shape
            name, size = f"{node.name}/filter", channels[node.name]
            new.node.append(_constant(name, values.reshape(height, width, size, outputs // size)))
            added.op = "DepthwiseConv2dNative"
            added.input[1] = name
            added.attr.pop("use_cudnn_on_gpu", None)
    return new


def _by_grappler(outputs: list[str]) -> Callable[[Graph], Graph]:
    def rewrite(graph: Graph) -> Graph:
        from tensorflow.core.protobuf import config_pb2
        from tensorflow.python.grappler import tf_optimizer
        from tensorflow.python.training.saver import export_meta_graph

        imported = _imported(graph)
        for name in outputs:
            imported.add_to_collection("train_op", imported.get_operation_by_name(name))
        config = config_pb2.ConfigProto()
        config.graph_options.rewrite_options.optimizers[:] = OPTIMIZERS
        config.graph_options.rewrite_options.min_graph_nodes = -1  # also small graphs
        meta = export_meta_graph(graph_def=imported.as_graph_def(), graph=imported)
        return tf_optimizer.OptimizeGraph(config, meta, verbose=False)

    return rewrite


def _folded_into_depthwise(graph: Graph) -> Graph:
    """Batch normalization after a depthwise convolution as a part of its filter; grappler does it for the others."""
    new, constants = _copy(graph), _constants(graph)
    new.node.extend(graph.node)
    nodes = {node.name: node for node in new.node}
    readers: dict[str, int] = {}
    for node in new.node:
        for name in node.input:
            readers[_source(name)] = readers.get(_source(name), 0) + 1
    for product in list(new.node):
        if product.op != "Mul":
            continue
        sources = [_source(name) for name in product.input]
        convolution = next((nodes[name] for name in sources if nodes[name].op == "DepthwiseConv2dNative"), None)
        factor = next((constants[name] for name in sources if name in constants), None)
        if convolution is None or factor is None or readers[convolution.name] > 1:
            continue
        values = constants.get(_source(convolution.input[1]))
        if values is None or factor.shape[-1:] != (factor.size,) or factor.size != math.prod(values.shape[2:]):
            continue
        name = f"{product.name}/filter"
        new.node.append(_constant(name, values * factor.reshape(values.shape[2:])))
        convolution.input[1] = name
        product.op = "Identity"
        product.input[:] = [convolution.name]
    return new


def _only_for(graph: Graph, outputs: list[str]) -> Graph:
    """What the outputs are computed from, each node after those it reads; an order in time has no meaning here."""
    nodes = {node.name: node for node in graph.node}
    new = _copy(graph)
    done: set[str] = set()
    todo = [(name, False) for name in reversed(outputs)]
    while todo:
        name, read = todo.pop()
        if read:
            node = new.node.add()
            node.CopyFrom(nodes[name])
            node.input[:] = _inputs(node)
            node.device = ""
        elif name not in done:
            done.add(name)
            todo.append((name, True))
            todo.extend((_source(other), False) for other in reversed(_inputs(nodes[name])))
    return new


def _in_groups(graph: Graph) -> Iterator[str]:
    """Convolutions whose filters see a part of the channels, which TensorFlow.js has not."""
    return (name for name, channels, filters in _convolutions(graph) if channels != filters)


def _convolutions(graph: Graph) -> Iterator[tuple[str, int, int]]:
    """The name of each ``Conv2D``, the channels of its input, and those that its filters see."""
    for operation in _imported(graph).get_operations():
        if operation.type == "Conv2D":
            image, filters = operation.inputs
            yield operation.name, int(image.shape[-1]), int(filters.shape[2])


def _imported(graph: Graph) -> Any:
    import tensorflow as tf

    imported = tf.Graph()
    with imported.as_default():
        tf.import_graph_def(graph, name="")
    return imported


def _copy(graph: Graph) -> Graph:
    """A graph of the same version, without nodes."""
    new = type(graph)()
    new.versions.CopyFrom(graph.versions)
    return new


def _constants(graph: Graph) -> dict[str, npt.NDArray[Any]]:
    import tensorflow as tf

    return {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in graph.node if node.op == "Const"}


def _constant(name: str, values: npt.NDArray[Any]) -> Node:
    import tensorflow as tf

    node = tf.compat.v1.NodeDef(name=name, op="Const")
    tensor = tf.make_tensor_proto(values.astype(np.float32))
    node.attr["value"].tensor.CopyFrom(tensor)
    node.attr["dtype"].type = tensor.dtype
    return node


def _inputs(node: Node) -> list[str]:
    return [name for name in node.input if not name.startswith("^")]


def _source(name: str) -> str:
    """The node of an input such as ``split:1``."""
    return name.removeprefix("^").partition(":")[0]


def _as_numpy(dtype: int) -> np.dtype[Any]:
    import tensorflow as tf

    found: np.dtype[Any] = np.dtype(tf.dtypes.as_dtype(dtype).as_numpy_dtype)
    return found
