"""The form and the configuration are the same set of settings, both ways."""

from __future__ import annotations

from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from tl_core.config.fields import FIELDS, fields_of
from tl_core.errors import ConfigError
from ui.state.form_values import (
    augmentation_level,
    changed_settings,
    config_of,
    flatten,
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
    assert set(FIELDS) == set(flatten(TrainingConfig().to_dict()))


def test_no_two_controls_share_a_key():
    assert len({field.key for field in FIELDS.values()}) == len(FIELDS)


@pytest.mark.parametrize("field", FIELDS.values(), ids=PATH)
def test_every_control_explains_itself_in_a_sentence(field):
    assert field.label
    assert field.help.endswith(".")
    assert len(field.help) > 30


@pytest.mark.parametrize("field", [field for field in FIELDS.values() if field.control == "choice"], ids=PATH)
def test_every_choice_is_one_that_the_configuration_takes(field):
    for choice in field.choices:
        values = {**form_values(TrainingConfig()), field.path: choice}
        assert flatten(config_of(values).to_dict())[field.path] == choice


@pytest.mark.parametrize(
    "field", [field for field in FIELDS.values() if field.control in ("whole", "fraction")], ids=PATH
)
def test_the_ends_of_every_range_are_ones_that_the_configuration_takes(field):
    for end in (field.low, field.high):
        config_of({**form_values(TrainingConfig()), field.path: int(end) if field.control == "whole" else end})


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


def test_every_section_has_its_fields_in_the_order_of_the_table():
    sections = ("essentials", "training", "head", "augmentation", "machine")
    assert [field for section in sections for field in fields_of(section)] == list(FIELDS.values())
