"""ResNet (2015) and ResNetV2 (2016): blocks with a shortcut around them."""

from __future__ import annotations

from typing import Any, Final

from tl_core.backbones.families.published import KERAS_WEIGHTS, published
from tl_core.backbones.record import Backbone


def _resnet(depth: int, base_parameters: int, weights_hash: str, figures: dict[str, Any]) -> Backbone:
    return Backbone(
        name=f"resnet{depth}",
        title=f"ResNet{depth}",
        family="ResNet",
        builder=f"ResNet{depth}",
        scaling="imagenet_caffe",
        base_parameters=base_parameters,
        weights_hash=weights_hash,
        paper_title="Deep Residual Learning for Image Recognition",
        paper_url="https://arxiv.org/abs/1512.03385",
        **_shared(f"resnet{depth}"),
        **figures,
    )


def _resnet_v2(depth: int, base_parameters: int, weights_hash: str, figures: dict[str, Any]) -> Backbone:
    return Backbone(
        name=f"resnet{depth}_v2",
        title=f"ResNet{depth}V2",
        family="ResNetV2",
        builder=f"ResNet{depth}V2",
        scaling="minus_one_to_one",
        base_parameters=base_parameters,
        weights_hash=weights_hash,
        paper_title="Identity Mappings in Deep Residual Networks",
        paper_url="https://arxiv.org/abs/1603.05027",
        **_shared(f"resnet{depth}v2"),
        **figures,
    )


def _shared(stem: str) -> dict[str, Any]:
    file = f"{stem}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return {
        "source": "keras.applications",
        "image_size": 224,
        "min_image_size": 32,
        "features": 2048,
        "weights_file": file,
        "weights_url": f"{KERAS_WEIGHTS}/resnet/{file}",
    }


BACKBONES: Final = (
    _resnet(50, 23_587_712, "4d473c1dd8becc155b73f8504c6f6626", published(98, 74.9, 92.1, 25.6, 107, 58.2, 4.6)),
    _resnet(101, 42_658_176, "88cf7a10940856eca736dc7b7e228a21", published(171, 76.4, 92.8, 44.7, 209, 89.6, 5.2)),
    _resnet(152, 58_370_944, "ee4c566cf9a93f14d82f913c2dc6dd0c", published(232, 76.6, 93.1, 60.4, 311, 127.4, 6.5)),
    _resnet_v2(50, 23_564_800, "fac2f116257151a9d068a22e544a4917", published(98, 76.0, 93.0, 25.6, 103, 45.6, 4.4)),
    _resnet_v2(101, 42_626_560, "c0ed64b8031c3730f411d2eb4eea35b5", published(171, 77.2, 93.8, 44.7, 205, 72.7, 5.4)),
    _resnet_v2(
        152, 58_331_648, "ed17cf2e0169df9d443503ef94b23b33", published(232, 78.0, 94.2, 60.4, 307, 107.5, 6.6)
    ),
)
