"""The options of the closed section in one line, so that none has an effect without being shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tl_core.backbones.registry import get_backbone
from tl_core.config import SETTINGS, TrainingConfig
from tl_core.config.phases import fine_tunes
from tl_core.config.setting import parse_units
from tl_core.errors import ConfigError
from tl_core.storage.format import scientific
from ui.state.form_values import CUSTOM_AUGMENTATION, augmentation_level


def options_summary(values: Mapping[str, Any]) -> str:
    """The text under *More options* while it is closed."""
    parts = [_optimizer(values), f"batches of {values['batch_size']}", _head(values), _augmentation(values)]
    if values["image_size"]:
        parts.insert(0, f"{values['image_size']} px images")
    if values["early_stopping_patience"]:
        parts.append(f"stops after {values['early_stopping_patience']} epochs without progress")
    if values["class_weights"]:
        parts.append("balanced classes")
    if values["weights"] == "random":
        parts.append("random weights")
    return " · ".join(parts)


def run_summary(config: TrainingConfig) -> str:
    """A run's own settings in one line: backbone, frozen layers, learning rate."""
    layers = config.frozen_layers
    frozen = "all layers frozen" if layers is None else f"the first {layers} layers frozen"
    parts = [get_backbone(config.backbone).title, frozen, f"learning rate {scientific(config.learning_rate)}"]
    if fine_tunes(config):
        parts.append(f"fine-tuning rate {scientific(config.fine_tune_learning_rate)}")
    return " · ".join(parts)


def _word(values: Mapping[str, Any], path: str) -> str:
    return SETTINGS[path].choices[values[path]]


def _optimizer(values: Mapping[str, Any]) -> str:
    schedule = {"constant": "", "cosine": ", cosine schedule", "plateau": ", slower on plateaus"}
    return f"{_word(values, 'optimizer')}{schedule[values['schedule']]}"


def _head(values: Mapping[str, Any]) -> str:
    pooling = (
        "flattened" if values["head.pooling"] == "flatten" else f"{_word(values, 'head.pooling').lower()} pooling"
    )
    try:
        units = parse_units(values["head.dense_units"])
    except ConfigError:
        units = []
    hidden = f", hidden layers {', '.join(map(str, units))}" if units else ""
    dropout = f", dropout {values['head.dropout']:g}" if values["head.dropout"] else ""
    return f"{pooling}{hidden}{dropout}"


def _augmentation(values: Mapping[str, Any]) -> str:
    level = augmentation_level(values)
    if level == "none":
        return "no augmentation"
    return "own augmentation" if level == CUSTOM_AUGMENTATION else f"{level} augmentation"
