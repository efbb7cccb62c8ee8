"""Operations of TensorFlow that tf2onnx does not support; imported where a model is converted to ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx.handler import tf_op
from tf2onnx.utils import make_name


@tf_op("Erfc")
class Erfc:
    """The complement of the error function, with which Keras computes ``gelu``: 1 - erf(x)."""

    @classmethod
    def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
        """From opset 9 on, which has Erf."""
        dtypes, shapes = node.output_dtypes, node.output_shapes
        one = graph.make_const(make_name("one"), np.array(1, np.float32))
        error = graph.make_node("Erf", node.input, dtypes=dtypes, shapes=shapes)
        graph.remove_node(node.name)
        inputs = [one.output[0], error.output[0]]
        graph.make_node("Sub", inputs, outputs=node.output, name=node.name, dtypes=dtypes, shapes=shapes)
