"""Inception (2015), Inception-ResNet (2016), Xception (2016) and NASNet (2017): blocks of parallel branches."""

from __future__ import annotations

from typing import Any, Final

from tl_core.backbones.families.published import KERAS_WEIGHTS, published
from tl_core.backbones.record import Backbone

_INCEPTION_V3: Final = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
_INCEPTION_RESNET: Final = "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5"
_XCEPTION: Final = "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"


def _nasnet(title: str, figures: dict[str, Any], **values: Any) -> Backbone:
    size = title.removeprefix("NASNet").lower()
    return Backbone(
        name=f"nasnet_{size}",
        title=title,
        family="NASNet",
        source="keras.applications",
        builder=title,
        min_image_size=32,
        scaling="minus_one_to_one",
        weights_file=f"nasnet_{size}_no_top.h5",
        weights_url=f"{KERAS_WEIGHTS}/nasnet/NASNet-{size}-no-top.h5",
        paper_title="Learning Transferable Architectures for Scalable Image Recognition",
        paper_url="https://arxiv.org/abs/1707.07012",
        **values,
        **figures,
    )


BACKBONES: Final = (
    Backbone(
        name="xception",
        title="Xception",
        family="Xception",
        source="keras.applications",
        builder="Xception",
        image_size=299,
        min_image_size=71,
        scaling="minus_one_to_one",
        features=2048,
        base_parameters=20_861_480,
        weights_file=_XCEPTION,
        weights_hash="b0042744bf5b25fce3cb969f33bebb97",
        weights_url=f"{KERAS_WEIGHTS}/xception/{_XCEPTION}",
        paper_title="Xception: Deep Learning with Depthwise Separable Convolutions",
        paper_url="https://arxiv.org/abs/1610.02357",
        **published(88, 79.0, 94.5, 22.9, 81, 109.4, 8.1),
    ),
    Backbone(
        name="inception_v3",
        title="InceptionV3",
        family="Inception",
        source="keras.applications",
        builder="InceptionV3",
        image_size=299,
        min_image_size=75,
        scaling="minus_one_to_one",
        features=2048,
        base_parameters=21_802_784,
        weights_file=_INCEPTION_V3,
        weights_hash="bcbd6486424b2319ff4ef7d526e38f63",
        weights_url=f"{KERAS_WEIGHTS}/inception_v3/{_INCEPTION_V3}",
        fine_tune_blocks=2,  # as the Keras Applications page does it: the top two inception blocks
        paper_title="Rethinking the Inception Architecture for Computer Vision",
        paper_url="https://arxiv.org/abs/1512.00567",
        **published(92, 77.9, 93.7, 23.9, 189, 42.2, 6.9),
    ),
    Backbone(
        name="inception_resnet_v2",
        title="InceptionResNetV2",
        family="Inception",
        source="keras.applications",
        builder="InceptionResNetV2",
        image_size=299,
        min_image_size=75,
        scaling="minus_one_to_one",
        features=1536,
        base_parameters=54_336_736,
        weights_file=_INCEPTION_RESNET,
        weights_hash="d19885ff4a710c122648d3b5c3b684e4",
        weights_url=f"{KERAS_WEIGHTS}/inception_resnet_v2/{_INCEPTION_RESNET}",
        fine_tune_blocks=2,  # the residual blocks on 8x8 features and the 1x1 convolution after them
        paper_title="Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
        paper_url="https://arxiv.org/abs/1602.07261",
        **published(215, 80.3, 95.3, 55.9, 449, 130.2, 10.0),
    ),
    _nasnet(
        "NASNetMobile",
        published(23, 74.4, 91.9, 5.3, 389, 27.0, 6.7),
        image_size=224,
        features=1056,
        base_parameters=4_269_716,
        weights_hash="1ed92395b5b598bdda52abe5c0dbfd63",
    ),
    _nasnet(
        "NASNetLarge",
        published(343, 82.5, 96.0, 88.9, 533, 344.5, 20.0),
        image_size=331,
        features=4032,
        base_parameters=84_916_818,
        weights_hash="d81d89dc07e6e56530c4e77faddd61b5",
    ),
)
