"""A configuration can be saved as text and loaded again; what is not one is explained in a sentence."""

from __future__ import annotations

import json

import pytest

from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from tl_core.errors import ConfigError
from ui.state.config_text import MAX_CHARACTERS, from_text, to_text

CONFIG = TrainingConfig(
    frozen_layers=40,
    head=HeadConfig(dense_units=(64,)),
    augmentation=AUGMENTATION_LEVELS["light"],
    learning_rate=3e-4,
)


def test_text_comes_back_as_the_same_configuration():
    assert from_text(to_text(CONFIG)) == CONFIG
    assert from_text(to_text(CONFIG).encode()) == CONFIG


def test_a_file_saved_by_an_editor_with_a_byte_order_mark_is_read():
    assert from_text(to_text(CONFIG).encode("utf-8-sig")) == CONFIG


def test_settings_left_out_take_their_defaults():
    assert from_text('{"epochs": 3}') == TrainingConfig(epochs=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("epochs = 3", "not valid JSON (line 1, character 1)"),
        ("[1, 2]", "must be a set of named values"),
        ("3", "must be a set of named values"),
        ('{"epoch": 3}', "unknown setting: epoch"),
        ('{"epochs": 0}', "Epochs must be a whole number between 1 and 1000"),
        ('{"epochs": "3"}', "Epochs must be a whole number between 1 and 1000"),
        ('{"learning_rate": NaN}', "Learning rate must be a number"),
        ('{"head": 3}', "must be a set of named values"),
        ('{"head": {"dropout": 2}}', "Dropout must be a number between 0 and 0.9"),
        ('{"augmentation": "wild"}', "Augmentation must be one of none, light, medium, strong"),
        (b"\xff\xfe\x00", "no text file"),
        ("[" * 50_000, "nested too deeply"),
        (" " * MAX_CHARACTERS + json.dumps({"epochs": 3}), "too long"),
    ],
    ids=range(15),
)
def test_what_is_no_configuration_is_explained_in_one_sentence(text, message):
    with pytest.raises(ConfigError) as caught:
        from_text(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
