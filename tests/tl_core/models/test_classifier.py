from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.tl_core.models.parameters import count_parameters
from tl_core.backbones.build import build_backbone
from tl_core.config import HeadConfig, TrainingConfig
from tl_core.config.presets import PRESETS
from tl_core.errors import ConfigError, ModelUnavailableError
from tl_core.models.classifier import build_classifier, freeze_layers, join_classifiers, split_classifier

# One backbone per kind of scaling, and per kind of layer that is private to Keras.
SAVED = {
    "efficientnet_lite0": 64,
    "vgg16": 32,
    "mobilenet_v3_small": 32,
    "convnext_tiny": 32,
}
IN_A_FRESH_PROCESS = """
import sys, keras, numpy as np
for name in sys.argv[1:]:
    model = keras.models.load_model(f"{name}.keras")
    images = np.load(f"{name}.images.npy")
    kinds = {type(layer).__name__ for layer in model._flatten_layers()}
    assert not {"Lambda", "TFSMLayer", "TorchModuleWrapper"} & kinds
    np.testing.assert_allclose(np.asarray(model(images)), np.load(f"{name}.npy"), atol=1e-5, err_msg=name)
assert "tl_core" not in sys.modules
print("same")
"""


def random_config(backbone: str, size: int, **settings: object) -> TrainingConfig:
    return TrainingConfig(backbone=backbone, weights="random", image_size=size, **settings)  # type: ignore[arg-type]


def pictures(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.float32)


@pytest.mark.slow
def test_a_saved_classifier_predicts_the_same_in_a_fresh_process_without_our_code(tmp_path: Path):
    for name, size in SAVED.items():
        head = HeadConfig(feature_normalization="batch", dense_units=(8,), batch_norm=True)
        model = build_classifier(random_config(name, size, head=head), 3).model
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.images.npy", pictures(16, size))
        np.save(tmp_path / f"{name}.npy", model(pictures(16, size)))
    command = [sys.executable, "-c", IN_A_FRESH_PROCESS, *SAVED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "same", done.stderr[-2000:]


def test_raw_pixels_go_in_and_are_scaled_inside():
    classifier = build_classifier(random_config("vgg16", 32), 2)
    images = pictures(2, 32)
    scaled = keras.applications.vgg16.preprocess_input(images.copy())
    np.testing.assert_allclose(classifier.preprocess(images), scaled, atol=1e-4)
    by_hand = classifier.head(classifier.base(scaled))
    np.testing.assert_allclose(classifier.model(images), by_hand, atol=1e-6)


def test_the_whole_backbone_begins_frozen():
    classifier = build_classifier(random_config("efficientnet_lite0", 32, head=HeadConfig()), 3)
    assert count_parameters(classifier.base) == (0, 3_413_024)
    assert count_parameters(classifier.model) == (1280 * 3 + 3, 3_413_024)


def test_batch_norm_of_the_backbone_stays_in_inference_mode_also_when_unfrozen():
    head = HeadConfig(dropout=0.0)
    classifier = build_classifier(random_config("mobilenet_v2", 32, head=head), 2)
    freeze_layers(classifier.base, 0)
    statistics = [weight.numpy() for weight in classifier.base.non_trainable_weights]
    images = pictures(8, 32)
    np.testing.assert_allclose(classifier(images, training=True), classifier.model(images), atol=1e-6)
    for before, after in zip(statistics, classifier.base.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(before, after.numpy())


def test_batch_norm_of_the_head_does_learn_its_statistics():
    head = HeadConfig(feature_normalization="batch", dropout=0.0)
    classifier = build_classifier(random_config("mobilenet_v2", 32, head=head), 2)
    moving = classifier.head.get_layer("feature_normalization").moving_mean
    before = moving.numpy()
    classifier(pictures(8, 32), training=True)
    assert not np.array_equal(before, moving.numpy())


def test_the_parts_of_a_loaded_model_are_found_again(tmp_path: Path):
    classifier = build_classifier(random_config("efficientnet_lite0", 32), 3)
    classifier.model.save(tmp_path / "best.keras")
    parts = split_classifier(keras.models.load_model(tmp_path / "best.keras"))
    assert parts.image_size == 32
    assert (parts.preprocess.name, parts.base.name, parts.head.name) == ("preprocess", "efficientnet_lite0", "head")
    assert [layer.name for layer in parts.base.layers] == [layer.name for layer in classifier.base.layers]


def test_joined_classifiers_answer_with_their_mean_and_are_found_again(tmp_path: Path):
    first = build_classifier(random_config("vgg16", 48), 3)
    other = build_classifier(random_config("vgg16", 32, head=HeadConfig(mirrored=True)), 3)
    joined = join_classifiers(first, [other])
    images = pictures(2, 48)
    smaller = keras.layers.Resizing(32, 32)(images)
    expected = (first.model(images) + other.model(smaller)) / 2
    np.testing.assert_allclose(joined.model(images), expected, atol=1e-6)
    np.testing.assert_allclose(joined(images), expected, atol=1e-6)
    joined.model.save(tmp_path / "best.keras")
    found = split_classifier(keras.models.load_model(tmp_path / "best.keras"))
    assert (found.image_size, found.base.name, len(found.members)) == (48, "vgg16", 1)
    assert not found.mirrored, "the mirror images are those of the other"
    np.testing.assert_allclose(found(images), expected, atol=1e-6)


def test_another_model_is_not_taken_for_a_classifier():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="other")
    with pytest.raises(ModelUnavailableError, match="“other” was not made by this program"):
        split_classifier(model)


def test_a_backbone_that_is_there_already_is_used():
    base = build_backbone("vgg16", 32, "random")
    assert build_classifier(random_config("vgg16", 32), 2, base).base is base


def test_an_image_size_below_the_least_is_refused():
    with pytest.raises(ConfigError, match="at least 71 x 71"):
        build_classifier(random_config("xception", 64), 2)


@pytest.mark.parametrize(
    ("name", "shape", "total", "trainable", "fine_tuned"),
    [
        ("vgg16_features", (5, 5, 512), 17_992_001, 3_277_313, 0),
        ("vgg16_augmented", (5, 5, 512), 17_992_001, 3_277_313, 0),
        ("vgg16_finetune", (5, 5, 512), 17_992_001, 3_277_313, 7_079_424),
        ("vgg16_two_dense", (4, 4, 512), 16_845_250, 2_130_562, 7_079_424),
        ("vgg16_small_data", (7, 7, 512), 16_320_770, 1_605_954, 0),
        ("xception_guide", (5, 5, 2048), 20_865_578, 4_098, 20_806_952),
        ("mobilenet_quick", (7, 7, 1280), 2_260_546, 2_562, 0),
    ],
)
def test_a_recipe_builds_with_exactly_its_parameters(
    name: str, shape: tuple[int, int, int], total: int, trainable: int, fine_tuned: int
):
    config = dataclasses.replace(PRESETS[name].config, weights="random")
    classifier = build_classifier(config, 2)
    assert classifier.base.output_shape[1:] == shape
    assert count_parameters(classifier.model) == (trainable, total - trainable)
    freeze_layers(classifier.base, config.frozen_layers)
    assert count_parameters(classifier.base)[0] == fine_tuned
