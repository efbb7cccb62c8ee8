"""What is compared: the plain recipe, the quick start, and the quick start with one thing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from tl_core.config import HeadConfig, TrainingConfig
from tl_core.config.presets import PRESETS

PLAIN: Final = "plain recipe"
QUICK_START: Final = "quick start"

PLAIN_CONFIG: Final = TrainingConfig(
    preset="",
    head=HeadConfig(pooling="average", feature_normalization="none", dense_units=(256,), dropout=0.5),
    optimizer="rmsprop",
    learning_rate=1e-3,
    schedule="constant",
    label_smoothing=0.0,
    weight_decay=0.0,
    early_stopping_patience=None,
    epochs=20,
    batch_size=32,
)
"""The recipe of many courses: average pooling, Dense 256 relu, Dropout 0.5, RMSprop 1e-3, 20 epochs."""

QUICK_CONFIG: Final = PRESETS["quick_start"].config


FIRST_GUESS: Final = "first guess"

FIRST_CONFIG: Final = TrainingConfig(
    preset="",
    head=HeadConfig(pooling="average", feature_normalization="layer", dense_units=(512,), dropout=0.5),
    optimizer="adam",
    learning_rate=1e-3,
    schedule="cosine",
    label_smoothing=0.05,
    weight_decay=0.0,
    early_stopping_patience=None,
    epochs=40,
    batch_size=32,
    fine_tune_learning_rate=1e-5,
)
"""Where the search for the quick start began."""


def _changed(**settings: Any) -> TrainingConfig:
    """The first guess with other settings; those of the head by their own names."""
    of_head = {name: value for name, value in settings.items() if name in HeadConfig.__dataclass_fields__}
    of_training = {name: value for name, value in settings.items() if name not in of_head}
    return replace(FIRST_CONFIG, head=replace(FIRST_CONFIG.head, **of_head), **of_training)


FINALISTS: Final[Mapping[str, TrainingConfig]] = MappingProxyType({PLAIN: PLAIN_CONFIG, QUICK_START: QUICK_CONFIG})
"""Compared on every set, size and seed, on the test images."""

CHANGES: Final[Mapping[str, TrainingConfig]] = MappingProxyType(
    {
        "plain recipe": PLAIN_CONFIG,
        "no feature normalization": _changed(feature_normalization="none"),
        "batch normalization of the features": _changed(feature_normalization="batch"),
        "maximum pooling": _changed(pooling="max"),
        "no hidden layer": _changed(dense_units=(), dropout=0.2),
        "256 hidden units": _changed(dense_units=(256,)),
        "dropout 0.3": _changed(dropout=0.3),
        "no label smoothing": _changed(label_smoothing=0.0),
        "label smoothing 0.1": _changed(label_smoothing=0.1),
        "constant rate": _changed(schedule="constant"),
        "rate 3e-3": _changed(learning_rate=3e-3),
        "rate 2e-3 and 60 epochs": _changed(learning_rate=2e-3, epochs=60),
        "RMSprop": _changed(optimizer="rmsprop"),
        "AdamW, weight decay 0.1": _changed(optimizer="adamw", weight_decay=0.1),
        "20 epochs": _changed(epochs=20),
        "60 epochs": _changed(epochs=60),
        "early stopping, patience 10": _changed(early_stopping_patience=10),
        "16 images per batch": _changed(batch_size=16),
    }
)
"""The first guess with one thing changed, or two."""

SECOND_ROUND: Final = (
    "plain recipe",
    "maximum pooling",
    "label smoothing 0.1",
    "rate 3e-3",
    "rate 2e-3 and 60 epochs",
    "60 epochs",
    "16 images per batch",
)
"""The changes that did well enough to be tried on more sets."""

CHOSEN: Final = "rate 2e-3 and 60 epochs"
