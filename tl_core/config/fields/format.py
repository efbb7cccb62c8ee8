"""A configuration in the words of the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tl_core.backbones.outline import BackboneOutline, load_outline
from tl_core.backbones.registry import BACKBONES
from tl_core.config import TrainingConfig
from tl_core.config.fields.field import Field, Section, units_text
from tl_core.config.fields.table import fields_of
from tl_core.config.phases import fine_tunes
from tl_core.config.presets import PRESETS
from tl_core.errors import TransferLearningError
from tl_core.format import scientific

SECTIONS: Final[Mapping[Section, str]] = {
    "essentials": "What was trained",
    "training": "How it was trained",
    "head": "Head",
    "augmentation": "Augmentation",
    "machine": "Machine",
}

# Two fields have the label “Epochs”, each in its own part of the form; here they stand side by side.
_LABELS: Final = {"epochs": "Epochs, feature extraction", "fine_tune_epochs": "Epochs, fine-tuning"}
_OF_FINE_TUNING: Final = ("fine_tune_epochs", "fine_tune_learning_rate")


def format_settings(config: TrainingConfig) -> dict[str, dict[str, str]]:
    """Label and value of every setting that took part, by section, as plain text."""
    values = flatten(config.to_dict())
    words: dict[str, dict[str, str]] = {}
    for section, title in SECTIONS.items():
        rows = {
            _LABELS.get(field.path, field.label): _format_value(field, values[field.path], config)
            for field in fields_of(section)
            if _takes_part(field, config)
        }
        if rows:
            words[title] = rows
    return words


def backbone_title(config: TrainingConfig) -> str:
    """The backbone's name for people; its identifier where this version does not know it."""
    backbone = BACKBONES.get(config.backbone)
    return backbone.title if backbone else config.backbone


def format_frozen(config: TrainingConfig) -> str:
    """How much of the backbone stays frozen: ``all 151``, ``120 of 151``, ``none of 151``."""
    outline = _outline(config)
    frozen = config.frozen_layers
    if outline is None:
        return "all" if frozen is None else str(frozen)
    layers = len(outline.layers)
    if frozen is None or frozen >= layers:
        return f"all {layers}"
    return f"{frozen or 'none'} of {layers}"


def format_rates(config: TrainingConfig) -> str:
    """The learning rate, and that of fine-tuning where there is one: ``0.001, then 10⁻⁵``."""
    rate = scientific(config.learning_rate)
    return f"{rate}, then {scientific(config.fine_tune_learning_rate)}" if fine_tunes(config) else rate


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"head": {"dropout": 0.2}}`` becomes ``{"head.dropout": 0.2}``."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        path = f"{prefix}{name}"
        flat.update(flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return flat


def _outline(config: TrainingConfig) -> BackboneOutline | None:
    try:
        return load_outline(config.backbone)
    except (TransferLearningError, FileNotFoundError):
        return None  # a run of a version that knew other backbones is still worth showing


def _takes_part(field: Field, config: TrainingConfig) -> bool:
    if field.path in _OF_FINE_TUNING:
        return fine_tunes(config)
    if field.section == "augmentation" or field.path in {"augmentation_mode", "views"}:
        return config.augmentation.enabled
    return True


def _format_value(field: Field, value: Any, config: TrainingConfig) -> str:
    if field.path in _OWN_WORDS:
        return _OWN_WORDS[field.path](config)
    return _WORDS[field.control](field, value)


_OWN_WORDS: Final[Mapping[str, Callable[[TrainingConfig], str]]] = {
    "preset": lambda config: PRESETS[config.preset].title if config.preset in PRESETS else config.preset,
    "backbone": backbone_title,
    "frozen_layers": format_frozen,
    "image_size": lambda config: f"{config.image_size} × {config.image_size} px" if config.image_size else "its own",
    "early_stopping_patience": lambda config: (
        f"{config.early_stopping_patience} epochs" if config.early_stopping_patience else "off"
    ),
    "keep_last_epochs": lambda config: f"{config.keep_last_epochs or 'none'} beside the best",
}

_WORDS: Final[Mapping[str, Callable[[Field, Any], str]]] = {
    "own": lambda _, value: str(value),
    "choice": lambda field, value: field.choices.get(value, str(value)),
    "flag": lambda _, value: "yes" if value else "no",
    "fraction": lambda _, value: f"{100 * value:.0f} %" if value else "none",
    "whole": lambda _, value: f"{value:,}",
    "rate": lambda _, value: scientific(value),
    "scale": lambda _, value: scientific(value) if value else "off",
    "units": lambda _, value: units_text(value) or "none",
}
