"""A run's own configuration: in words to read, as text to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import streamlit as st

from tl_core.config import TrainingConfig
from tl_core.config.presets import PRESETS
from tl_core.runs import RunRecord
from ui.runs.words import backbone_title, fine_tunes, frozen_words
from ui.training_form.fields import Field, Section, fields_of, units_text
from ui.training_form.learning_rates import format_rate
from ui.training_form.text_version import to_text
from ui.training_form.values import flatten
from ui.words import percent, plain

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


def run_settings(run: RunRecord, key: str) -> None:
    """Draw the configuration as it was submitted, whatever the form holds now."""
    with st.grid(2, min_column_width=320, gap="large"):
        for title, rows in settings_in_words(run.config).items():
            with st.container(gap="xsmall"):
                st.markdown(f"**{title}**")
                st.table(rows, border="horizontal", alt=f"{title}: settings of this run")
    st.download_button(
        "Download the settings",
        to_text(run.config),
        f"{run.id}-settings.json",
        "application/json",
        key=f"{key}-download",
        icon=":material/download:",
        on_click="ignore",
        help="Every setting as text. The Train page can load it again.",
    )


def settings_in_words(config: TrainingConfig) -> dict[str, dict[str, str]]:
    """Label and value of every setting that took part, by section."""
    values = flatten(config.to_dict())
    words: dict[str, dict[str, str]] = {}
    for section, title in SECTIONS.items():
        rows = {
            _LABELS.get(field.path, field.label): plain(_value_in_words(field, values[field.path], config))
            for field in fields_of(section)
            if _takes_part(field, config)
        }
        if rows:
            words[title] = rows
    return words


def _takes_part(field: Field, config: TrainingConfig) -> bool:
    if field.path in _OF_FINE_TUNING:
        return fine_tunes(config)
    if field.section == "augmentation" or field.path in {"augmentation_mode", "views"}:
        return config.augmentation.enabled
    return True


def _value_in_words(field: Field, value: Any, config: TrainingConfig) -> str:
    if field.path in _OWN_WORDS:
        return _OWN_WORDS[field.path](config)
    return _WORDS[field.control](field, value)


_OWN_WORDS: Final[Mapping[str, Callable[[TrainingConfig], str]]] = {
    "preset": lambda config: PRESETS[config.preset].title if config.preset in PRESETS else config.preset,
    "backbone": backbone_title,
    "frozen_layers": frozen_words,
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
    "fraction": lambda _, value: percent(value, 0) if value else "none",
    "whole": lambda _, value: f"{value:,}",
    "rate": lambda _, value: format_rate(value),
    "scale": lambda _, value: format_rate(value) if value else "off",
    "units": lambda _, value: units_text(value) or "none",
}
