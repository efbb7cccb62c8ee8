"""VGG (2014): plain stacks of 3x3 convolutions, large and slow, easy to understand."""

from __future__ import annotations

from typing import Any, Final

from tl_core.backbones.families.published import KERAS_WEIGHTS, published
from tl_core.backbones.record import Backbone


def _vgg(name: str, base_parameters: int, weights_hash: str, figures: dict[str, Any]) -> Backbone:
    file = f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return Backbone(
        name=name,
        title=name.upper(),
        family="VGG",
        source="keras.applications",
        builder=name.upper(),
        image_size=224,
        min_image_size=32,
        scaling="imagenet_caffe",
        features=512,
        base_parameters=base_parameters,
        weights_file=file,
        weights_hash=weights_hash,
        weights_url=f"{KERAS_WEIGHTS}/{name}/{file}",
        paper_title="Very Deep Convolutional Networks for Large-Scale Image Recognition",
        paper_url="https://arxiv.org/abs/1409.1556",
        **figures,
    )


BACKBONES: Final = (
    _vgg("vgg16", 14_714_688, "6d6bbae143d832006294945121d1f1fc", published(528, 71.3, 90.1, 138.4, 16, 69.5, 4.2)),
    _vgg("vgg19", 20_024_384, "253f8cb515780f3b799900260a226db6", published(549, 71.3, 90.0, 143.7, 19, 84.8, 4.4)),
)
