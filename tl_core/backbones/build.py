"""Builds a backbone of the registry as a Keras model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import keras

from tl_core.backbones.efficientnet_lite import build_efficientnet_lite, load_lite_weights
from tl_core.backbones.record import Backbone, Source
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.weights import ensure_weights
from tl_core.errors import WeightsUnavailableError
from tl_core.machine.progress import UNATTENDED, TaskContext

_IMAGENET_STD: Final = (0.229, 0.224, 0.225)


def build_backbone(
    name: str,
    image_size: int | None = None,
    weights: str = "imagenet",
    task: TaskContext = UNATTENDED,
) -> keras.Model:
    """Build a backbone without its head.

    Args:
        image_size: width and height of the input in pixels; None = the size it was trained on.
        weights: imagenet, or random.
        task: gets bytes done and bytes in all, and is checked for a stop, while weights are downloaded.

    Returns:
        A functional model whose layers are those that ``keras.applications`` gives with its ImageNet weights,
        in the same order whatever ``weights`` is. It takes float32 ``(n, image_size, image_size, 3)`` scaled as
        `tl_core.backbones.scaling.build_scaling` does, and gives the feature map ``(n, h, w, features)``.

    Raises:
        ConfigError: the name is unknown or the image size too small for it.
        WeightsUnavailableError: the weights are not here and cannot be downloaded.
        StoppedError: a stop was requested.
    """
    backbone = get_backbone(name)
    size = backbone.checked_image_size(image_size)
    path = ensure_weights(backbone, task=task) if weights == "imagenet" else None
    architecture, load = _SOURCES[backbone.source]
    base = architecture(backbone, size)
    if path is not None:
        load(base, backbone, path)
    return base


def _keras_architecture(backbone: Backbone, size: int) -> keras.Model:
    builder = getattr(keras.applications, backbone.builder)
    base = builder(include_top=False, weights=None, input_shape=(size, size, 3))
    if backbone.family != "EfficientNet":
        return base

    # Keras adds this layer only when it loads ImageNet weights itself. They were trained on input divided once more
    # by the square root of the standard deviation: https://github.com/tensorflow/tensorflow/issues/49930.
    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        x = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Normalization):
            x = keras.layers.Rescaling([1 / math.sqrt(std) for std in _IMAGENET_STD])(x)
        return x

    return keras.models.clone_model(base, keras.Input(base.input_shape[1:]), call_function=call)


def _load_keras(base: keras.Model, backbone: Backbone, path: Path) -> None:
    try:
        base.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsUnavailableError(
            f"The file {path.name} does not hold the weights of {backbone.title} (without its head): "
            "delete it, then download or copy it again."
        ) from error


def _network_architecture(backbone: Backbone, size: int) -> keras.Model:
    base = _opened(backbone, ensure_weights(backbone))
    return keras.models.clone_model(base, keras.Input((size, size, 3), name="image"))


def _load_network(base: keras.Model, backbone: Backbone, path: Path) -> None:
    base.set_weights(_opened(backbone, path).get_weights())


def _opened(backbone: Backbone, path: Path) -> keras.Model:
    """A network from elsewhere, as the process that checked it wrote it; `ensure_weights` has compared its
    checksum."""
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsUnavailableError(
            f"The file of {backbone.title} cannot be opened: bring the network again."
        ) from error


_Architecture = Callable[[Backbone, int], keras.Model]
_Load = Callable[[keras.Model, Backbone, Path], None]
_SOURCES: Final[Mapping[Source, tuple[_Architecture, _Load]]] = {
    "network": (_network_architecture, _load_network),
    "keras.applications": (_keras_architecture, _load_keras),
    "efficientnet_lite": (
        build_efficientnet_lite,
        lambda base, backbone, path: load_lite_weights(base, path, backbone.weights_hash or ""),
    ),
}
