"""The head: the small trainable network that turns a backbone's features into class probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tl_core.config.setting import ConfigRecord, setting
from tl_core.errors import ConfigError

MAX_BLOCKS: Final = 4  # that a head can look at

_part = partial(setting, "head")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig(ConfigRecord):
    """Features of some blocks -> pooling -> [normalization] -> {Dense -> [BatchNorm] -> Dropout}* -> output.

    With no dense layer the dropout stands between the pooled features and the output, and the L2 penalty is on the
    output's kernel: the head is then a regularized logistic regression.
    """

    pooling: str = _part(
        "average",
        "choice",
        "Pooling",
        "How the backbone's feature map becomes one list of numbers. Average: what is in the image, wherever it is. "
        "Maximum: the strongest trace of each feature. Average and maximum: both, twice as many numbers. Flatten: "
        "keeps the places, with many more parameters.",
        choices={"average": "Average", "max": "Maximum", "both": "Average and maximum", "flatten": "Flatten"},
    )
    blocks: int = _part(
        1,
        "whole",
        "Blocks that give features",
        "How many of the backbone's last blocks the head looks at. 1: only the last. More: earlier blocks as well, "
        "which know shapes and textures that the last one has left out; helps when your images do not look "
        "like ImageNet's photos.",
        low=1,
        high=MAX_BLOCKS,
    )
    mirrored: bool = _part(
        False,
        "flag",
        "Also look at the mirror image",
        "The features of each image are pooled over the image and its mirror image, in training and for every "
        "answer. Takes twice as long; off where left and right mean something, such as letters.",
    )
    feature_normalization: str = _part(
        "none",
        "choice",
        "Feature normalization",
        "Brings all features to the same scale before the head. Batch: each feature over the images. Layer: each "
        "image over its features.",
        choices={"none": "None", "batch": "Batch", "layer": "Layer"},
    )
    dense_units: tuple[int, ...] = _part(
        (),
        "units",
        "Hidden layers",
        "Units of each Dense layer between the features and the output, with commas: 256, 128. Empty: none, which is "
        "often enough and over-fits least.",
        option="--dense",
    )
    activation: str = _part(
        "relu",
        "choice",
        "Activation",
        "What follows each hidden layer. ReLU is the usual choice; linear means none.",
        choices={"relu": "ReLU", "gelu": "GELU", "linear": "Linear"},
    )
    dropout: float = _part(
        0.2,
        "share",
        "Dropout",
        "The share of values set to zero at random while training, so that the head relies on no single feature. "
        "More for little data, which over-fits at once.",
        high=0.9,
        step=0.05,
    )
    l2: float = _part(
        0.0,
        "scale",
        "L2 penalty",
        "Makes large weights costly, against over-fitting: those of the hidden layers, or of the output layer where "
        "there are none. 0 is off.",
        high=1,
        options=(0.0, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1),
    )
    batch_norm: bool = _part(
        False,
        "flag",
        "Normalize hidden layers",
        "BatchNormalization after each hidden layer: steadier, often faster training.",
    )
    output: str = _part(
        "softmax",
        "choice",
        "Output",
        "What the model gives for an image. Softmax: one probability per class, adding up to 1. Sigmoid: a single "
        "probability, for exactly two classes.",
        choices={"softmax": "Softmax", "sigmoid": "Sigmoid"},
    )

    def __post_init__(self) -> None:
        units: Any = self.dense_units
        if not isinstance(units, (list, tuple)):
            raise ConfigError(
                f"The dense layers must be a list of unit counts, such as 256, 128. Received: {units!r}."
            )
        object.__setattr__(self, "dense_units", tuple(units))
        ConfigRecord.__post_init__(self)
        if self.blocks > 1 and self.pooling == "flatten":
            raise ConfigError(
                f"Flatten takes the features of the last block alone. Received: {self.blocks} blocks; choose another "
                "pooling, or 1 block."
            )

    @property
    def poolings(self) -> int:
        """How many numbers of each feature the pooling gives."""
        return 2 if self.pooling == "both" else 1

    def parameters(
        self, features: tuple[int, int, int], classes: int, earlier: Sequence[int] = ()
    ) -> tuple[int, int]:
        """Count the head's parameters without building it.

        Args:
            features: shape of the backbone's output, ``(height, width, channels)``.
            classes: number of classes.
            earlier: channels of the blocks before the last, from the end; those that the head uses count.

        Returns:
            Trainable and non-trainable parameters (the moving statistics of BatchNormalization).
        """
        height, width, channels = features
        size = self.poolings * (channels + sum(earlier[: self.blocks - 1]))
        if self.pooling == "flatten":
            size = height * width * channels * (2 if self.mirrored else 1)
        trainable = 2 * size if self.feature_normalization != "none" else 0
        frozen = 2 * size if self.feature_normalization == "batch" else 0
        for units in self.dense_units:
            trainable += size * units + units
            if self.batch_norm:
                trainable, frozen = trainable + 2 * units, frozen + 2 * units
            size = units
        outputs = 1 if self.output == "sigmoid" else classes
        return trainable + size * outputs + outputs, frozen
