"""The form's values: one flat mapping from a setting's path to what its control holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tl_core.config import AUGMENTATION_LEVELS, AugmentationConfig, TrainingConfig
from tl_core.config.fields import FIELDS, flatten
from tl_core.errors import ConfigError

FormValues = dict[str, Any]

CUSTOM_AUGMENTATION = "custom"


def form_values(config: TrainingConfig) -> FormValues:
    """What each control shows for ``config``."""
    flat = flatten(config.to_dict())
    return {path: field.to_form(flat[path]) for path, field in FIELDS.items()}


def config_of(values: Mapping[str, Any]) -> TrainingConfig:
    """The configuration that the controls describe.

    Raises:
        ConfigError: a value is out of its range or cannot be read.
    """
    nested: dict[str, Any] = {}
    for path, field in FIELDS.items():
        group, _, name = path.rpartition(".")
        place = nested.setdefault(group, {}) if group else nested
        place[name] = field.from_form(values[path])
    return TrainingConfig.from_dict(nested)


def changed_settings(values: Mapping[str, Any], start: TrainingConfig) -> tuple[str, ...]:
    """The paths of the settings that differ from ``start``; the preset's name is no setting."""
    before = form_values(start)
    return tuple(path for path in FIELDS if path != "preset" and values[path] != before[path])


def augmentation_of(values: Mapping[str, Any]) -> AugmentationConfig:
    """The augmentation that the controls describe.

    Raises:
        ConfigError: a value is out of its range.
    """
    prefix = "augmentation."
    return AugmentationConfig.from_dict(
        {path.removeprefix(prefix): value for path, value in values.items() if path.startswith(prefix)}
    )


def augmentation_level(values: Mapping[str, Any]) -> str:
    """The name of the level that the controls stand at, or ``custom``."""
    try:
        current = augmentation_of(values)
    except ConfigError:
        return CUSTOM_AUGMENTATION
    return next((name for name, level in AUGMENTATION_LEVELS.items() if level == current), CUSTOM_AUGMENTATION)


def level_values(name: str) -> FormValues:
    """The values of the augmentation controls at the level ``name``."""
    return flatten({"augmentation": AUGMENTATION_LEVELS[name].to_dict()})
