"""DenseNet (2016): every layer of a block sees the output of all layers before it."""

from __future__ import annotations

from typing import Any, Final

from tl_core.backbones.families.published import KERAS_WEIGHTS, published
from tl_core.backbones.record import Backbone


def _densenet(
    depth: int, features: int, base_parameters: int, weights_hash: str, figures: dict[str, Any]
) -> Backbone:
    file = f"densenet{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return Backbone(
        name=f"densenet{depth}",
        title=f"DenseNet{depth}",
        family="DenseNet",
        source="keras.applications",
        builder=f"DenseNet{depth}",
        image_size=224,
        min_image_size=32,
        scaling="imagenet_torch",
        features=features,
        base_parameters=base_parameters,
        weights_file=file,
        weights_hash=weights_hash,
        weights_url=f"{KERAS_WEIGHTS}/densenet/{file}",
        paper_title="Densely Connected Convolutional Networks",
        paper_url="https://arxiv.org/abs/1608.06993",
        **figures,
    )


BACKBONES: Final = (
    _densenet(
        121, 1024, 7_037_504, "30ee3e1110167f948a6b9946edeeb738", published(33, 75.0, 92.3, 8.1, 242, 77.1, 5.4)
    ),
    _densenet(
        169, 1664, 12_642_880, "b8c4d4c20dd625c148057b9ff1c1176b", published(57, 76.2, 93.2, 14.3, 338, 96.4, 6.3)
    ),
    _densenet(
        201, 1920, 18_321_984, "c13680b51ded0fb44dff2d8f86ac8bb1", published(80, 77.3, 93.6, 20.2, 402, 127.2, 6.7)
    ),
)
