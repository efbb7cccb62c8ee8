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
    "Average",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "EinsumDense",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Identity",
    "InputLayer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPooling2D",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "Permute",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Resizing",
    "SeparableConv2D",
    "Subtract",
    # Of plain Keras models; they change pictures while such a model is trained, and do nothing afterwards.
    "RandomBrightness",
    "RandomContrast",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "ZeroPadding1D",
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
        ("keras.src.ops.nn", "Gelu"),
        ("keras.src.ops.numpy", "Add"),
        ("keras.src.ops.numpy", "Flip"),
        ("keras.src.ops.numpy", "Multiply"),
        ("keras.src.ops.numpy", "Pad"),
        ("keras.src.ops.numpy", "Split"),
        ("keras.src.ops.numpy", "Subtract"),  # this and the next one are `preprocess_input` of Keras' applications
        ("keras.src.ops.numpy", "TrueDivide"),
        *(("keras.layers", name) for name in _LAYERS),
        *(("keras.initializers", name) for name in _INITIALIZERS),
    }
)
"""Module and class of everything that may be made, as Keras writes them."""

TEXTS: Final[Mapping[str, frozenset[str]]] = {
    "activation": frozenset(
        {"elu", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear", "relu", "relu6", "selu", "sigmoid"}
        | {"silu", "softmax", "softplus", "swish", "tanh"}
    ),
    "bias_axes": frozenset({"bd"}),  # of the one `EinsumDense` that there is: tokens from patches
    "data_format": frozenset({"channels_last"}),
    "distribution": frozenset({"normal", "truncated_normal", "uniform", "untruncated_normal"}),
    "dtype": frozenset({"float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"}),
    "equation": frozenset({"abc,cd->abd"}),
    "fill_mode": frozenset({"constant", "nearest", "reflect", "wrap"}),
    "interpolation": frozenset({"bilinear", "nearest"}),
    "mode": frozenset(
        {"constant", "fan_avg", "fan_in", "fan_out", "horizontal", "horizontal_and_vertical", "vertical"}
    ),
    "padding": frozenset({"same", "valid"}),
}
"""What a text under this key may be; any other text is a name."""

Config = Mapping[str, Any]
Shape = tuple[int, ...]  # of one input, without the batch


WEIGHTS_OF: Final[Mapping[str, Callable[[Config, Shape], int]]] = {
    "BatchNormalization": lambda _, shape: 4 * shape[-1],
    "Conv2D": lambda config, shape: (_kernel(config) * shape[-1] // config["groups"] + 1) * config["filters"],
    "Dense": lambda config, shape: (shape[-1] + 1) * config["units"],
    "DepthwiseConv2D": lambda config, shape: (_kernel(config) + 1) * shape[-1] * config["depth_multiplier"],
    "EinsumDense": lambda config, shape: shape[-1] * config["output_shape"][-1] + math.prod(config["output_shape"]),
    "LayerNormalization": lambda _, shape: 2 * shape[-1],
    "LayerScale": lambda config, _: config["projection_dim"],
    "MultiHeadAttention": lambda config, shape: (
        4 * (shape[-1] + 1) * config["num_heads"] * max(config["key_dim"], config["value_dim"] or 0)
    ),
    "SeparableConv2D": lambda config, shape: (
        (_kernel(config) + config["filters"]) * shape[-1] * config["depth_multiplier"] + config["filters"]
    ),
}
"""At most how many weights a layer has that is built for such an input."""


def _kernel(config: Config) -> int:
    return math.prod(config["kernel_size"])
