"""The format of a graph for TensorFlow.js: ``model.json``, and the values of its constants in files of 4 MB.

Reference: ``tfjs-converter/python/tensorflowjs/write_weights.py`` and the types in ``tfjs-core/src/io/types.ts`` of
https://github.com/tensorflow/tfjs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

MODEL: Final = "model.json"
SHARD: Final = 4 << 20  # bytes; browsers keep files of this size
STORED: Final = {  # the types of numbers of a graph, and how TensorFlow.js has them
    np.dtype(np.float32): np.dtype("<f4"),
    np.dtype(np.float64): np.dtype("<f4"),
    np.dtype(np.int32): np.dtype("<i4"),
    np.dtype(np.int64): np.dtype("<i4"),
    np.dtype(np.bool_): np.dtype(np.bool_),
}
_NAMES: Final = {np.dtype("<f4"): "float32", np.dtype("<i4"): "int32", np.dtype(np.bool_): "bool"}


def write_graph_model(graph: Any, image: Any, outputs: Mapping[str, Any], folder: Path) -> None:
    """Write a graph into a new folder.

    Args:
        graph: ``GraphDef`` with operations that TensorFlow.js knows.
        image: the tensor that it takes.
        outputs: the tensors that it gives, each with a name for those who use the model.
        folder: made here.
    """
    import tensorflow as tf
    from google.protobuf.json_format import MessageToDict

    folder.mkdir()
    described, content = [], bytearray()
    bare = type(graph)()
    bare.CopyFrom(graph)
    for node in bare.node:
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            values = _stored(tf.make_ndarray(tensor))
            described.append({"name": node.name, "shape": list(values.shape), "dtype": _NAMES[values.dtype]})
            content += values.tobytes()
            kept = type(tensor)(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape)
            tensor.CopyFrom(kept)
    shards = [content[start : start + SHARD] for start in range(0, len(content), SHARD)]
    names = [f"group1-shard{number}of{len(shards)}.bin" for number in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        (folder / name).write_bytes(shard)
    model = {
        "format": "graph-model",
        "generatedBy": f"TensorFlow {tf.__version__}",
        "convertedBy": "Transfer learning in the browser",
        "signature": {
            "inputs": {"image": _described(image)},
            "outputs": {name: _described(tensor) for name, tensor in outputs.items()},
        },
        "modelTopology": MessageToDict(bare),
        "weightsManifest": [{"paths": names, "weights": described}],
    }
    (folder / MODEL).write_text(json.dumps(model), encoding="utf-8")


def _stored(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The values as TensorFlow.js has them; a larger whole number means no more than *to the end* there."""
    stored = STORED[values.dtype]
    if values.dtype == np.int64:
        values = values.clip(np.iinfo(np.int32).min, np.iinfo(np.int32).max)
    return values.astype(stored)


def _described(tensor: Any) -> dict[str, Any]:
    dims = [{"size": str(-1 if size is None else size)} for size in tensor.shape.as_list()]
    return {"name": tensor.name, "dtype": "DT_FLOAT", "tensorShape": {"dim": dims}}
