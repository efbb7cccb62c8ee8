"""The form and the configuration are the same set of settings, both ways."""

from __future__ import annotations

from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_core.config import AUGMENTATION_LEVELS, SETTINGS, HeadConfig, TrainingConfig, flatten
from tl_core.errors import ConfigError
from ui.state.form_values import (
    augmentation_level,
    changed_settings,
    config_of,
    form_values,
    level_values,
)

PATH = attrgetter("path")
EXAMPLES = [
    TrainingConfig(),
    TrainingConfig(
        preset="vgg16_two_dense",
        backbone="vgg16",
        image_size=150,
        frozen_layers=15,
        head=HeadConfig(pooling="flatten", dense_units=(256, 128), dropout=0.3, l2=0.001),
        augmentation=AUGMENTATION_LEVELS["strong"],
        early_stopping_patience=4,
        fine_tune_epochs=10,
    ),
]


def test_the_form_has_every_setting_of_the_configuration_and_no_other():
    assert list(form_values(TrainingConfig())) == list(flatten(TrainingConfig().to_dict()))


def test_no_two_controls_share_a_key():
    assert len({setting.key for setting in SETTINGS.values()}) == len(SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=PATH)
def test_every_control_explains_itself_in_a_sentence(setting):
    assert setting.label
    assert setting.help.endswith(".")
    assert len(setting.help) > 30


@pytest.mark.parametrize(
    "setting", [setting for setting in SETTINGS.values() if setting.control == "choice"], ids=PATH
)
def test_every_choice_is_one_that_the_configuration_takes(setting):
    for choice in setting.choices:
        values = {**form_values(TrainingConfig()), setting.path: choice}
        assert flatten(config_of(values).to_dict())[setting.path] == choice


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS.values() if setting.high is not None], ids=PATH)
def test_the_ends_of_every_range_are_ones_that_the_configuration_takes(setting):
    for end in (setting.low, setting.high):
        config_of({**form_values(TrainingConfig()), setting.path: int(end) if setting.whole else end})


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS.values() if setting.options], ids=PATH)
def test_every_stop_of_a_scale_is_one_that_the_configuration_takes(setting):
    for stop in setting.options:
        config_of({**form_values(TrainingConfig()), setting.path: stop})


@pytest.mark.parametrize("config", EXAMPLES)
def test_a_configuration_goes_into_the_form_and_comes_back_the_same(config):
    assert config_of(form_values(config)) == config


@given(patience=st.none() | st.integers(1, 1000), units=st.lists(st.integers(1, 4096), max_size=4))
def test_patience_and_hidden_layers_survive_their_text_form(patience, units):
    config = TrainingConfig(early_stopping_patience=patience, head=HeadConfig(dense_units=tuple(units)))
    assert config_of(form_values(config)) == config


@pytest.mark.parametrize("text", ["256; 128", " 256 128 ", "256,128,"])
def test_hidden_layers_are_read_however_they_are_separated(text):
    values = {**form_values(TrainingConfig()), "head.dense_units": text}
    assert config_of(values).head.dense_units == (256, 128)


@pytest.mark.parametrize("text", ["many", "12.5", "-3", "256 and 128"])
def test_hidden_layers_that_are_no_numbers_are_explained(text):
    values = {**form_values(TrainingConfig()), "head.dense_units": text}
    with pytest.raises(ConfigError, match="whole numbers with commas"):
        config_of(values)


def test_changed_settings_names_what_differs_from_the_preset():
    values = {**form_values(TrainingConfig()), "learning_rate": 0.01, "head.dropout": 0.3, "preset": "other"}
    assert changed_settings(values, TrainingConfig()) == ("learning_rate", "head.dropout")


@pytest.mark.parametrize("name", AUGMENTATION_LEVELS)
def test_an_augmentation_level_is_recognised_by_its_controls(name):
    values = {**form_values(TrainingConfig()), **level_values(name)}
    assert augmentation_level(values) == name
    assert augmentation_level({**values, "augmentation.shear": 0.77}) == "custom"
