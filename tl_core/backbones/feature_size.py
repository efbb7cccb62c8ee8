"""How large the feature map of a backbone is, for any image size, without building it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tl_core.backbones.record import Backbone

# What a layer does to a width or height, by a letter: half of it rounded up (stride 2 with “same” padding) or down
# (pooling), a 3x3 window with stride 2 and no padding, a 3x3 window with stride 1 and no padding.
_STEPS: Final[Mapping[str, Callable[[int], int]]] = {
    "u": lambda size: (size + 1) // 2,
    "d": lambda size: size // 2,
    "h": lambda size: (size - 1) // 2,
    "t": lambda size: size - 2,
}
# The layers that shrink the image, from first to last, by family.
_PATHS: Final[Mapping[str, str]] = {
    "EfficientNet-Lite": "uuuuu",
    "EfficientNet": "uuuuu",
    "EfficientNetV2": "uuuuu",
    "ResNet": "uuuuu",
    "ResNetV2": "uuuuu",
    "MobileNet": "uuuuu",
    "VGG": "ddddd",
    "ConvNeXt": "ddddd",
    "DenseNet": "uuddd",
    "Xception": "htuuuu",
    "NASNet": "huuuu",
}
# Where the networks of a family differ, by name.
_EXCEPTIONS: Final[Mapping[str, str]] = {
    "mobilenet": "udddd",  # version 1 pads by a fixed amount
    "inception_v3": "hththhh",
    "inception_resnet_v2": "hththhh",
}


def feature_shape(backbone: Backbone, image_size: int | None = None) -> tuple[int, int, int]:
    """Compute the shape of the last feature map.

    Args:
        backbone: any of the registry.
        image_size: width and height of the image in pixels; None = the backbone's own.

    Returns:
        ``(height, width, channels)``; 0 where the image is too small for the backbone.
    """
    size = image_size or backbone.image_size
    for step in _EXCEPTIONS.get(backbone.name) or _PATHS[backbone.family]:
        size = max(0, _STEPS[step](size))
    return size, size, backbone.features
