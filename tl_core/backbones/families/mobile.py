"""MobileNet (2017), MobileNetV2 (2018) and MobileNetV3 (2019): small and quick, made for phones."""

from __future__ import annotations

from typing import Any, Final

from tl_core.backbones.families.published import KERAS_WEIGHTS, published
from tl_core.backbones.record import Backbone

_MOBILENET: Final = "mobilenet_1_0_224_tf_no_top.h5"
_MOBILENET_V2: Final = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


def _mobilenet_v3(size: str, figures: dict[str, Any], **values: Any) -> Backbone:
    file = f"weights_mobilenet_v3_{size}_224_1.0_float_no_top_v2.h5"
    return Backbone(
        name=f"mobilenet_v3_{size}",
        title=f"MobileNetV3{size.title()}",
        family="MobileNet",
        source="keras.applications",
        builder=f"MobileNetV3{size.title()}",
        image_size=224,
        min_image_size=32,
        scaling="built_in",
        weights_file=file,
        weights_url=f"{KERAS_WEIGHTS}/mobilenet_v3/{file}",
        fine_tune_blocks=2,  # the last block and the 1x1 convolution after it
        paper_title="Searching for MobileNetV3",
        paper_url="https://arxiv.org/abs/1905.02244",
        **values,
        **figures,
    )


BACKBONES: Final = (
    Backbone(
        name="mobilenet",
        title="MobileNet",
        family="MobileNet",
        source="keras.applications",
        builder="MobileNet",
        image_size=224,
        min_image_size=32,
        scaling="minus_one_to_one",
        features=1024,
        base_parameters=3_228_864,
        weights_file=_MOBILENET,
        weights_hash=None,
        weights_url=f"{KERAS_WEIGHTS}/mobilenet/{_MOBILENET}",
        paper_title="MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
        paper_url="https://arxiv.org/abs/1704.04861",
        **published(16, 70.4, 89.5, 4.3, 55, 22.6, 3.4),
    ),
    Backbone(
        name="mobilenet_v2",
        title="MobileNetV2",
        family="MobileNet",
        source="keras.applications",
        builder="MobileNetV2",
        image_size=224,
        min_image_size=32,
        scaling="minus_one_to_one",
        features=1280,
        base_parameters=2_257_984,
        weights_file=_MOBILENET_V2,
        weights_hash=None,
        weights_url=f"{KERAS_WEIGHTS}/mobilenet_v2/{_MOBILENET_V2}",
        fine_tune_blocks=2,  # the last block and the 1x1 convolution after it
        paper_title="MobileNetV2: Inverted Residuals and Linear Bottlenecks",
        paper_url="https://arxiv.org/abs/1801.04381",
        **published(14, 71.3, 90.1, 3.5, 105, 25.9, 3.8),
    ),
    # Parameters and top-1 of MobileNetV3: https://keras.io/api/applications/mobilenet/
    _mobilenet_v3(
        "small",
        published(None, 68.1, None, 2.9),
        features=576,
        base_parameters=939_120,
        weights_hash="d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    _mobilenet_v3(
        "large",
        published(None, 75.6, None, 5.4),
        features=960,
        base_parameters=2_996_352,
        weights_hash="07fb09a5933dd0c8eaafa16978110389",
    ),
)
