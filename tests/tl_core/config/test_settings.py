"""What stands at a setting once, and what is derived from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tl_core.config import SETTINGS, AugmentationConfig, HeadConfig, TrainingConfig
from tl_core.config.format_settings import format_settings
from tl_core.errors import ConfigError


def nested(path: str, value: object) -> dict[str, object]:
    """The setting ``path`` at ``value`` as `TrainingConfig.from_dict` takes it."""
    group, _, name = path.rpartition(".")
    return {group: {name: value}} if group else {name: value}


NUMBERS = [setting for setting in SETTINGS.values() if setting.high is not None]
OPTIONAL = {"image_size", "frozen_layers", "early_stopping_patience"}


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.path)
def test_a_number_out_of_its_range_is_refused_by_name(setting):
    name = setting.name.replace("_", " ").capitalize()
    for wrong in (setting.low - 1, setting.high + 1, float("nan"), "1", True):
        with pytest.raises(ConfigError, match=f"^{name} must be a .*number between"):
            TrainingConfig.from_dict(nested(setting.path, wrong))


@pytest.mark.parametrize("setting", [one for one in NUMBERS if one.whole], ids=lambda setting: setting.path)
def test_half_of_what_comes_in_wholes_is_refused(setting):
    with pytest.raises(ConfigError, match="must be a whole number"):
        TrainingConfig.from_dict(nested(setting.path, setting.low + 0.5))


@pytest.mark.parametrize("path", SETTINGS)
def test_only_some_settings_may_be_left_empty(path):
    if path in OPTIONAL:
        TrainingConfig.from_dict(nested(path, None))
    else:
        with pytest.raises(ConfigError):
            TrainingConfig.from_dict(nested(path, None))


@pytest.mark.parametrize("setting", [one for one in SETTINGS.values() if one.choices], ids=lambda one: one.path)
def test_a_choice_that_is_none_is_refused_with_those_there_are(setting):
    with pytest.raises(ConfigError, match=f"must be one of {', '.join(setting.choices)}"):
        TrainingConfig.from_dict(nested(setting.path, "other"))


def test_a_record_in_the_place_of_another_is_refused():
    with pytest.raises(ConfigError, match="“head” has the wrong form"):
        TrainingConfig(head=AugmentationConfig())


def test_settings_are_shown_with_their_units():
    augmentation = AugmentationConfig(rotation_degrees=20, zoom=0.15, shear=0.125)
    shown = format_settings(TrainingConfig(augmentation=augmentation))["Augmentation"]
    assert shown["Rotation (degrees)"] == "20"
    assert shown["Zoom"] == "15 %"
    assert shown["Shear"] == "12.5 %"
    assert shown["Contrast"] == "none"


def test_two_shares_that_differ_are_not_shown_as_the_same():
    first, second = (TrainingConfig(head=HeadConfig(dropout=dropout)) for dropout in (0.304, 0.296))
    assert format_settings(first)["Head"]["Dropout"] != format_settings(second)["Head"]["Dropout"]


def test_what_took_no_part_is_not_shown():
    config = TrainingConfig()
    assert "Augmentation" not in format_settings(config)
    assert "Augmentation" in format_settings(replace(config, augmentation=AugmentationConfig(zoom=0.1)))
