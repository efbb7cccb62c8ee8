"""A configuration as text, in the words of the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tl_core.backbones.registry import get_backbone
from tl_core.config.phases import fine_tunes, layers_of
from tl_core.config.presets import PRESETS
from tl_core.config.setting import Control, Section, Setting, format_units
from tl_core.config.training import SETTINGS, TrainingConfig, flatten
from tl_core.errors import ConfigError
from tl_core.storage.format import number, scientific

_SECTIONS: Final[Mapping[Section, str]] = {
    "essentials": "What was trained",
    "training": "How it was trained",
    "head": "Head",
    "augmentation": "Augmentation",
    "machine": "Machine",
}

# The form has the two under the titles of their phases; here they stand side by side.
_LABELS: Final = {"epochs": "Epochs, feature extraction", "fine_tune_epochs": "Epochs, fine-tuning"}
_OF_FINE_TUNING: Final = ("fine_tune_epochs", "fine_tune_learning_rate")


def format_settings(config: TrainingConfig) -> dict[str, dict[str, str]]:
    """Label and value of every setting that took part, by section, as plain text."""
    values = flatten(config.to_dict())
    rows: dict[str, dict[str, str]] = {title: {} for title in _SECTIONS.values()}
    for path, setting in SETTINGS.items():
        if _takes_part(setting, config):
            label = _LABELS.get(path, setting.label)
            rows[_SECTIONS[setting.section]][label] = _format_value(setting, values[path], config)
    return {title: found for title, found in rows.items() if found}


def backbone_title(config: TrainingConfig) -> str:
    """The backbone's name for people; its identifier where this version does not know it."""
    try:
        return get_backbone(config.backbone).title
    except ConfigError:
        return config.backbone


def format_frozen(config: TrainingConfig) -> str:
    """How much of the backbone stays frozen: ``all 151``, ``120 of 151``, ``none of 151``."""
    frozen, layers = config.frozen_layers, layers_of(config.backbone)
    if layers is None:
        return "all" if frozen is None else str(frozen)
    if frozen is None or frozen >= layers:
        return f"all {layers}"
    return f"{frozen or 'none'} of {layers}"


def format_rates(config: TrainingConfig) -> str:
    """The learning rate, and that of fine-tuning where there is one: ``0.001, then 10⁻⁵``."""
    rate = scientific(config.learning_rate)
    return f"{rate}, then {scientific(config.fine_tune_learning_rate)}" if fine_tunes(config) else rate


def _takes_part(setting: Setting, config: TrainingConfig) -> bool:
    if setting.path in _OF_FINE_TUNING:
        return fine_tunes(config)
    return setting.section != "augmentation" or config.augmentation.enabled


def _format_value(setting: Setting, value: Any, config: TrainingConfig) -> str:
    own = _BY_PATH.get(setting.path)
    return own(config) if own else _BY_CONTROL[setting.control](setting, value)


_BY_PATH: Final[Mapping[str, Callable[[TrainingConfig], str]]] = {
    "preset": lambda config: PRESETS[config.preset].title if config.preset in PRESETS else config.preset,
    "backbone": backbone_title,
    "frozen_layers": format_frozen,
    "image_size": lambda config: f"{config.image_size} × {config.image_size} px" if config.image_size else "its own",
    "early_stopping_patience": lambda config: (
        f"{config.early_stopping_patience} epochs" if config.early_stopping_patience else "off"
    ),
    "keep_last_epochs": lambda config: f"{config.keep_last_epochs or 'none'} beside the best",
}
_BY_CONTROL: Final[Mapping[Control, Callable[[Setting, Any], str]]] = {
    "choice": lambda setting, value: setting.choices.get(value, str(value)),
    "flag": lambda _, value: "yes" if value else "no",
    "share": lambda _, value: f"{number(100 * value, 6)} %" if value else "none",
    "degrees": lambda _, value: number(value, 6) if value else "none",
    "whole": lambda _, value: f"{value:,}",
    "rate": lambda _, value: scientific(value),
    "scale": lambda _, value: scientific(value) if value else "off",
    "units": lambda _, value: format_units(value) or "none",
}
