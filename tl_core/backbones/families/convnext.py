"""ConvNeXt (2022): a plain convolutional network with the design of a vision transformer."""

from __future__ import annotations

from typing import Any, Final

from tl_core.backbones.families.published import KERAS_WEIGHTS, published
from tl_core.backbones.record import Backbone


def _convnext(size: str, features: int, base_parameters: int, sha256: str, figures: dict[str, Any]) -> Backbone:
    title = "XLarge" if size == "xlarge" else size.title()
    file = f"convnext_{size}_notop.h5"
    return Backbone(
        name=f"convnext_{size}",
        title=f"ConvNeXt{title}",
        family="ConvNeXt",
        source="keras.applications",
        builder=f"ConvNeXt{title}",
        image_size=224,
        min_image_size=32,
        scaling="built_in",
        features=features,
        base_parameters=base_parameters,
        weights_file=file,
        weights_hash=sha256,
        weights_url=f"{KERAS_WEIGHTS}/convnext/{file}",
        paper_title="A ConvNet for the 2020s",
        paper_url="https://arxiv.org/abs/2201.03545",
        **figures,
    )


# fmt: off
BACKBONES: Final = (
    _convnext("tiny", 768, 27_820_128, "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
              published(109.42, 81.3, None, 28.6)),
    _convnext("small", 768, 49_454_688, "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
              published(192.29, 82.3, None, 50.2)),
    _convnext("base", 1024, 87_566_464, "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
              published(338.58, 85.3, None, 88.5)),
    _convnext("large", 1536, 196_230_336, "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
              published(755.07, 86.3, None, 197.7)),
    _convnext("xlarge", 2048, 348_147_968, "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
              published(1310, 86.7, None, 350.1)),
)
# fmt: on
