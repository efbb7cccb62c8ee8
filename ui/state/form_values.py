"""The form's values: one flat mapping from a setting's path to what its control holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tl_core.config import AUGMENTATION_LEVELS, SETTINGS, AugmentationConfig, Setting, TrainingConfig, flatten
from tl_core.config.setting import format_units, parse_units
from tl_core.errors import ConfigError

FormValues = dict[str, Any]

CUSTOM_AUGMENTATION = "custom"


def form_values(config: TrainingConfig) -> FormValues:
    """What each control shows for ``config``."""
    flat = flatten(config.to_dict())
    return {path: _to_control(setting, flat[path]) for path, setting in SETTINGS.items()}


def config_of(values: Mapping[str, Any]) -> TrainingConfig:
    """The configuration that the controls describe.

    Raises:
        ConfigError: a value is out of its range or cannot be read.
    """
    nested: dict[str, Any] = {}
    for path, setting in SETTINGS.items():
        group = path.rpartition(".")[0]
        place = nested.setdefault(group, {}) if group else nested
        place[setting.name] = _from_control(setting, values[path])
    return TrainingConfig.from_dict(nested)


def changed_settings(values: Mapping[str, Any], start: TrainingConfig) -> tuple[str, ...]:
    """The paths of the settings that differ from ``start``; the preset's name is no setting."""
    before = form_values(start)
    return tuple(path for path in SETTINGS if path != "preset" and values[path] != before[path])


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


def _to_control(setting: Setting, value: Any) -> Any:
    if setting.control == "units":
        return format_units(value)
    return value or 0 if _zero_is_none(setting) else value


def _from_control(setting: Setting, value: Any) -> Any:
    if setting.control == "units":
        return parse_units(value)
    return int(value) or None if _zero_is_none(setting) else value


def _zero_is_none(setting: Setting) -> bool:
    return setting.control == "whole" and setting.optional
