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
    schedule = {"constant": "", "cosine": ", cosine schedule", "plateau": ", slower on plateaus"}
    level = augmentation_level(values)
    augmentation = {"none": "no", CUSTOM_AUGMENTATION: "own"}.get(level, level)
    parts = [
        f"{SETTINGS['optimizer'].choices[values['optimizer']]}{schedule[values['schedule']]}",
        f"batches of {values['batch_size']}",
        _head(values),
        f"{augmentation} augmentation",
    ]
    if values["image_size"]:
        parts.insert(0, f"{values['image_size']} px images")
    if values["label_smoothing"]:
        parts.append(f"label smoothing {values['label_smoothing']:g}")
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


def _head(values: Mapping[str, Any]) -> str:
    pooling = values["head.pooling"]
    pooled = "flattened" if pooling == "flatten" else f"{SETTINGS['head.pooling'].choices[pooling].lower()} pooling"
    try:
        units = parse_units(values["head.dense_units"])
    except ConfigError:
        units = []
    hidden = f", hidden layers {', '.join(map(str, units))}" if units else ""
    dropout = f", dropout {values['head.dropout']:g}" if values["head.dropout"] else ""
    return f"{pooled}{hidden}{dropout}"
