"""What the models of this dashboard consist of; a file that names anything else is not opened.

A test builds every backbone of the registry and every kind of head, and holds them against these tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

_LAYERS: Final = (
    "Activation",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Identity",
    "InputLayer",
    "LayerNormalization",
    "MaxPooling2D",
    "Multiply",
    "Normalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "ZeroPadding2D",
)
_INITIALIZERS: Final = (
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Ones",
    "RandomNormal",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
)

KNOWN: Final[frozenset[tuple[str | None, str]]] = frozenset(
    {
        (None, "__keras_tensor__"),
        ("keras", "DTypePolicy"),
        ("keras", "Sequential"),
        ("keras.regularizers", "L2"),
        ("keras.src.applications.convnext", "LayerScale"),
        ("keras.src.applications.inception_resnet_v2", "CustomScaleLayer"),
        ("keras.src.models.functional", "Functional"),
        ("keras.src.ops.numpy", "Add"),
        ("keras.src.ops.numpy", "Flip"),
        ("keras.src.ops.numpy", "Multiply"),
        *(("keras.layers", name) for name in _LAYERS),
        *(("keras.initializers", name) for name in _INITIALIZERS),
    }
)
"""Module and class of everything that may be made, as Keras writes them."""

_DTYPES: Final = frozenset({"float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"})

TEXTS: Final[Mapping[str, frozenset[str]]] = {
    "activation": frozenset(
        {"elu", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear", "relu", "relu6", "selu", "sigmoid"}
        | {"silu", "softmax", "softplus", "swish", "tanh"}
    ),
    "data_format": frozenset({"channels_last"}),
    "distribution": frozenset({"normal", "truncated_normal", "uniform", "untruncated_normal"}),
    "dtype": _DTYPES,
    "mode": frozenset({"fan_avg", "fan_in", "fan_out"}),
    "padding": frozenset({"same", "valid"}),
}
"""What a text under this key may be; any other text is a name."""

OUTPUT_ACTIVATIONS: Final = frozenset({"softmax", "sigmoid"})

Config = Mapping[str, Any]
Shape = tuple[int, ...]  # of one input, without the batch


def _kernel(config: Config) -> int:
    return math.prod(config["kernel_size"])


def _conv(config: Config, shape: Shape) -> int:
    filters = config["filters"]
    return int(_kernel(config) * shape[-1] // config["groups"] * filters + filters)


def _depthwise(config: Config, shape: Shape) -> int:
    return int((_kernel(config) + 1) * shape[-1] * config["depth_multiplier"])


def _separable(config: Config, shape: Shape) -> int:
    inner, filters = shape[-1] * config["depth_multiplier"], config["filters"]
    return int(_kernel(config) * inner + inner * filters + filters)


def _dense(config: Config, shape: Shape) -> int:
    return int((shape[-1] + 1) * config["units"])


WEIGHTS_OF: Final[Mapping[str, Callable[[Config, Shape], int]]] = {
    "BatchNormalization": lambda _, shape: 4 * shape[-1],
    "Conv2D": _conv,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "LayerNormalization": lambda _, shape: 2 * shape[-1],
    "LayerScale": lambda config, _: int(config["projection_dim"]),
    "SeparableConv2D": _separable,
}
"""At most how many weights a layer has that is built for such an input."""
