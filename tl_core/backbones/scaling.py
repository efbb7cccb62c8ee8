"""The input scaling of each backbone, as layers inside the model.

A saved model takes raw RGB images, so nobody can choose the wrong scaling. Everything here is made of
public Keras layers and operations, so that the file loads in a fresh process without our code. The layers
compute in float32 also under mixed precision and have no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
from keras import layers

from tl_core.backbones.record import Scaling

# Means and standard deviations of the ImageNet images, as `keras.applications.imagenet_utils` has them.
_CAFFE_MEAN_BGR: Final = (103.939, 116.779, 123.68)
_TORCH_MEAN: Final = (0.485, 0.456, 0.406)
_TORCH_STD: Final = (0.229, 0.224, 0.225)

_LAYER: Final[Mapping[str, Any]] = {"name": "scaling", "dtype": "float32"}
_SCALINGS: Final[Mapping[Scaling, Callable[[], keras.Layer]]] = {
    "built_in": lambda: layers.Identity(**_LAYER),
    "minus_one_to_one": lambda: layers.Rescaling(1 / 127.5, offset=-1, **_LAYER),
    "zero_to_one": lambda: layers.Rescaling(1 / 255, **_LAYER),
    "lite": lambda: layers.Rescaling(1 / 128, offset=-127 / 128, **_LAYER),
    "imagenet_caffe": lambda: layers.Normalization(mean=_CAFFE_MEAN_BGR, variance=(1.0, 1.0, 1.0), **_LAYER),
    "imagenet_torch": lambda: layers.Normalization(
        mean=[255 * value for value in _TORCH_MEAN], variance=[(255 * value) ** 2 for value in _TORCH_STD], **_LAYER
    ),
}


def build_scaling(scaling: Scaling, image_size: int) -> keras.Model:
    """Build the model named ``preprocess``, from raw RGB in [0, 255] to the input of a backbone.

    Returns:
        A functional model without weights; input and output float32 ``(n, image_size, image_size, 3)``.
    """
    image = keras.Input((image_size, image_size, 3), dtype="float32", name="raw_image")
    ordered = keras.ops.flip(image, axis=-1) if scaling == "imagenet_caffe" else image  # RGB to BGR
    return keras.Model(image, _SCALINGS[scaling]()(ordered), name="preprocess")
