"""The backbone and its input scaling as code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tl_core.backbones.record import Backbone, Scaling
from tl_core.config import TrainingConfig
from tl_core.export.code import efficientnet_lite
from tl_core.export.code.cell import Cell

# `x` is the raw image; what `tl_core.backbones.scaling` builds.
_SCALINGS: Final[Mapping[Scaling, tuple[str, ...]]] = {
    "built_in": ('x = layers.Identity(dtype="float32")(raw)  # its own first layers scale',),
    "minus_one_to_one": ('x = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32")(raw)',),
    "lite": ('x = layers.Rescaling(1 / 128, offset=-127 / 128, dtype="float32")(raw)',),
    "imagenet_caffe": (
        "x = keras.ops.flip(raw, axis=-1)  # RGB to BGR",
        "mean = (103.939, 116.779, 123.68)",
        'x = layers.Normalization(mean=mean, variance=(1.0, 1.0, 1.0), dtype="float32")(x)',
    ),
    "imagenet_torch": (
        "mean = [255 * value for value in (0.485, 0.456, 0.406)]",
        "variance = [(255 * value) ** 2 for value in (0.229, 0.224, 0.225)]",
        'x = layers.Normalization(mean=mean, variance=variance, dtype="float32")(raw)',
    ),
}


def backbone_cells(config: TrainingConfig, record: Backbone) -> Iterator[Cell]:
    """Code that names ``preprocess`` and ``base``, whose layers are all frozen."""
    scaling = ['raw = keras.Input((SIZE, SIZE, 3), dtype="float32")', *_SCALINGS[record.scaling]]
    scaling.append('preprocess = keras.Model(raw, x, name="preprocess")')
    yield Cell("Scaling", "From raw RGB in 0-255 to what the backbone was trained on.", _code(scaling))
    if record.source == "efficientnet_lite":
        yield from efficientnet_lite.cells(config, record)
    else:
        yield Cell("Backbone", _text(config, record), _code(_application(config, record)))
    yield Cell("Freezing", "At first the whole backbone stays as it is.", "base.trainable = False\n")


def layers_missing(config: TrainingConfig, record: Backbone) -> int:
    """How many layers at its beginning the generated backbone has less than that of the dashboard.

    Keras adds a second Rescaling to EfficientNet B0-B7 only together with the ImageNet weights.
    """
    return int(record.family == "EfficientNet" and config.weights == "random")


def _application(config: TrainingConfig, record: Backbone) -> list[str]:
    weights = '"imagenet"' if config.weights == "imagenet" else "None"
    return [
        f"base = keras.applications.{record.builder}(",
        f"    include_top=False, weights={weights}, input_shape=(SIZE, SIZE, 3)",
        ")",
    ]


def _text(config: TrainingConfig, record: Backbone) -> str:
    if config.weights == "random":
        return f"{record.title} with random weights."
    return f"{record.title}, pretrained on ImageNet; Keras downloads its weights on first use."


def _code(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
