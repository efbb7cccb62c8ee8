"""The small network that is trained on top of the backbone; folded away at first."""

from __future__ import annotations

from typing import Final

from tl_core.config.fields.field import Field, parse_units, units_text

HEAD: Final[tuple[Field, ...]] = (
    Field(
        path="head.pooling",
        label="Pooling",
        help="How the backbone's feature map becomes one list of numbers. Average: what is in the image, wherever "
        "it is. Maximum: the strongest trace of each feature. Flatten: keeps the places, with many more parameters.",
        section="head",
        control="choice",
        choices={"average": "Average", "max": "Maximum", "flatten": "Flatten"},
    ),
    Field(
        path="head.feature_normalization",
        label="Feature normalization",
        help="Brings all features to the same scale before the head. Batch: each feature over the images. "
        "Layer: each image over its features.",
        section="head",
        control="choice",
        choices={"none": "None", "batch": "Batch", "layer": "Layer"},
    ),
    Field(
        path="head.dense_units",
        label="Hidden layers",
        help="Units of each Dense layer between the features and the answer, with commas: 256, 128. "
        "Empty: none, which is often enough and over-fits least.",
        section="head",
        control="units",
        to_form=units_text,
        from_form=parse_units,
    ),
    Field(
        path="head.activation",
        label="Activation",
        help="What follows each hidden layer. ReLU is the usual choice; linear means none.",
        section="head",
        control="choice",
        choices={"relu": "ReLU", "gelu": "GELU", "linear": "Linear"},
    ),
    Field(
        path="head.dropout",
        label="Dropout",
        help="The share of values switched off at random while training, so that the head leans on no single "
        "feature. More for little data, which over-fits at once.",
        section="head",
        control="fraction",
        high=0.9,
        step=0.05,
    ),
    Field(
        path="head.l2",
        label="L2 penalty",
        help="Makes large weights in the hidden layers costly, against over-fitting. 0 is off.",
        section="head",
        control="scale",
        options=(0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1),
    ),
    Field(
        path="head.batch_norm",
        label="Normalize hidden layers",
        help="BatchNormalization after each hidden layer: steadier, often faster training.",
        section="head",
        control="flag",
    ),
    Field(
        path="head.output",
        label="Answer",
        help="Softmax: one probability per class, adding up to 1. Sigmoid: a single probability, for exactly "
        "two classes.",
        section="head",
        control="choice",
        choices={"softmax": "Softmax", "sigmoid": "Sigmoid"},
    ),
)
