from __future__ import annotations

import dataclasses

import pytest

from tl_core.backbones.outline import feature_shape, load_outline
from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.config.presets import DEFAULT_PRESET, GOALS, PRESETS, Preset

# Of recipes with two classes: trainable and other parameters of the head, and the backbone's trainable ones while
# it is fine-tuned.
PARAMETERS = {
    "vgg16_features": (12_800 * 256 + 256 + 257, 0, 0),
    "vgg16_augmented": (12_800 * 256 + 256 + 257, 0, 0),
    "vgg16_finetune": (12_800 * 256 + 256 + 257, 0, 7_079_424),
    "vgg16_two_dense": (8_192 * 256 + 256 + 256 * 128 + 128 + 258, 0, 7_079_424),
    "vgg16_small_data": (1_605_954, 128, 0),
    "xception_guide": (2_048 * 2 + 2, 0, 20_806_952),
    "mobilenet_quick": (1_280 * 2 + 2, 0, 0),
}


def counted(preset: Preset) -> tuple[int, int, int]:
    config = preset.config
    shape = feature_shape(get_backbone(config.backbone), config.image_size)
    base = load_outline(config.backbone).trainable_parameters(config.frozen_layers)
    return (*config.head.parameters(shape, 2), base)


def test_the_goals_come_first_and_the_seven_recipes_follow():
    assert GOALS[0] == DEFAULT_PRESET
    assert list(PRESETS) == [*GOALS, *PARAMETERS]
    assert PRESETS["quick_start"].config.backbone == "efficientnet_lite0"


@pytest.mark.parametrize("name", GOALS)
def test_a_goal_needs_no_download(name: str):
    assert get_backbone(PRESETS[name].config.backbone).download_mb == 0


def test_most_accurate_fine_tunes_the_last_two_blocks():
    config = PRESETS["most_accurate"].config
    assert config.frozen_layers == load_outline(config.backbone).presets()["all_but_last_block"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_recipe_has_exactly_the_published_number_of_parameters(name: str):
    assert counted(PRESETS[name]) == PARAMETERS[name]


def test_vgg16_small_data_adds_up_to_the_published_total():
    trainable, other, _ = counted(PRESETS["vgg16_small_data"])
    assert trainable == 1_605_954
    assert load_outline("vgg16").parameters + other == 14_714_816
    assert load_outline("vgg16").parameters + trainable + other == 16_320_770


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_is_complete_and_can_be_written_and_read(preset: Preset):
    assert preset.config.preset == preset.name
    assert preset.title
    assert preset.text.endswith(".")
    assert TrainingConfig.from_dict(preset.config.to_dict()) == preset.config


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_recipe_that_unfreezes_does_so_with_a_lower_rate(name: str):
    config = PRESETS[name].config
    assert (config.fine_tune_epochs > 0) == (config.frozen_layers is not None)
    assert config.fine_tune_learning_rate <= config.learning_rate / 10


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vgg16_features", {"optimizer": "rmsprop", "epochs": 20, "image_size": 180}),
        ("vgg16_augmented", {"optimizer": "rmsprop", "epochs": 50, "image_size": 180}),
        (
            "vgg16_finetune",
            {"epochs": 50, "fine_tune_epochs": 30, "fine_tune_learning_rate": 1e-5, "frozen_layers": 15},
        ),
        ("vgg16_two_dense", {"optimizer": "rmsprop", "epochs": 10, "image_size": 150}),
        ("vgg16_small_data", {"optimizer": "adam", "learning_rate": 1e-4, "epochs": 20, "batch_size": 30}),
        ("xception_guide", {"optimizer": "adam", "image_size": 150, "frozen_layers": 0}),
        ("mobilenet_quick", {"optimizer": "adam", "learning_rate": 1e-3, "image_size": 224, "frozen_layers": None}),
    ],
)
def test_a_recipe_has_its_own_settings(name: str, settings: dict[str, object]):
    config = PRESETS[name].config
    assert {key: getattr(config, key) for key in settings} == settings


def test_recipes_augment_as_published():
    assert not PRESETS["vgg16_features"].config.augmentation.enabled
    assert not PRESETS["mobilenet_quick"].config.augmentation.enabled
    book = PRESETS["vgg16_augmented"].config.augmentation
    assert (book.horizontal_flip, book.rotation_degrees, book.zoom) == (True, 36, 0.2)  # 0.1 of a turn
    assert PRESETS["vgg16_finetune"].config.augmentation == book
    assert PRESETS["xception_guide"].config.augmentation == dataclasses.replace(book, zoom=0.0)
    strong = PRESETS["vgg16_two_dense"].config.augmentation
    assert (strong.rotation_degrees, strong.shift, strong.shear, strong.zoom) == (40, 0.2, 0.2, 0.2)
    assert strong.fill_mode == "nearest"


def test_vgg16_two_dense_unfreezes_from_block5_conv1():
    config = PRESETS["vgg16_two_dense"].config
    assert config.frozen_layers == load_outline("vgg16").index("block5_conv1")
    assert (config.head.dense_units, config.head.l2, config.head.dropout) == ((256, 128), 0.001, 0.3)
