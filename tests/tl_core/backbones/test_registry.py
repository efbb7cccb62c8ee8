"""The records of the registry, held against Keras itself."""

from __future__ import annotations

import dataclasses
import inspect
import sys

import keras
import numpy as np
import pytest

from tl_core.backbones.outline import feature_shape, load_outline
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import BACKBONES, get_backbone
from tl_core.backbones.scaling import build_scaling
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError

OF_KERAS = [backbone for backbone in BACKBONES.values() if backbone.source == "keras.applications"]


def keras_module(backbone: Backbone):
    return sys.modules[getattr(keras.applications, backbone.builder).__module__]


def test_every_model_of_keras_applications_is_there():
    builders = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {backbone.builder for backbone in OF_KERAS} == builders


def test_the_default_and_its_two_larger_versions_are_there():
    assert TrainingConfig().backbone == "efficientnet_lite0"
    lite = [backbone for backbone in BACKBONES.values() if backbone.source == "efficientnet_lite"]
    assert [backbone.image_size for backbone in lite] == [224, 240, 260]
    assert [backbone.top1 for backbone in lite] == [75.1, 76.7, 77.6]
    assert all(backbone.download_mb == 0 for backbone in lite)


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(ConfigError, match=r"no backbone named “efficientnet_lit0”.*efficientnet_lite0"):
        get_backbone("efficientnet_lit0")


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda backbone: backbone.name)
def test_figures_are_of_the_right_magnitude(backbone: Backbone):
    assert backbone.parameters > 0.95 * backbone.base_parameters  # published figures are rounded
    assert backbone.min_image_size <= backbone.image_size <= 600
    for percent in (backbone.top1, backbone.top5):
        assert percent is None or 60 < percent < 100
    if backbone.size_mb is not None:
        four_bytes_each = 4 * backbone.parameters / 2**20
        assert 0.95 * four_bytes_each < backbone.size_mb < 1.5 * four_bytes_each
    assert backbone.paper_url.startswith("https://arxiv.org/abs/")


def test_vgg16_has_the_published_row():
    vgg16 = get_backbone("vgg16")
    row = [vgg16.size_mb, vgg16.top1, vgg16.top5, vgg16.parameters, vgg16.depth, vgg16.cpu_ms, vgg16.gpu_ms]
    assert row == [528, 71.3, 90.1, 138_400_000, 16, 69.5, 4.2]
    assert vgg16.download_mb == pytest.approx(58.9, abs=0.1)


@pytest.mark.parametrize("backbone", OF_KERAS, ids=lambda backbone: backbone.name)
def test_checksums_are_those_of_keras(backbone: Backbone):
    modules = [keras_module(backbone), sys.modules["keras.src.applications.resnet"]]  # ResNetV2 looks them up there
    source = "".join(inspect.getsource(module) for module in modules)
    assert backbone.weights_hash is None or f'"{backbone.weights_hash}"' in source
    assert (backbone.weights_hash is None) == (backbone.name in ("mobilenet", "mobilenet_v2"))


@pytest.mark.parametrize(
    "name",
    [
        "vgg16",
        "mobilenet",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "resnet50_v2",
        "efficientnet_v2_b0",
        "convnext_tiny",
    ],
)
def test_keras_downloads_the_same_file(name: str, monkeypatch: pytest.MonkeyPatch):
    class AskedError(Exception):
        pass

    def ask(file: str, url: str, file_hash: str | None = None, **_: object):
        raise AskedError(file, url, file_hash)

    backbone = get_backbone(name)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", ask)
    with pytest.raises(AskedError) as asked:
        getattr(keras.applications, backbone.builder)(weights="imagenet", include_top=False)
    assert asked.value.args == (backbone.weights_file, backbone.weights_url, backbone.weights_hash)


@pytest.mark.parametrize("backbone", OF_KERAS, ids=lambda backbone: backbone.name)
def test_scaling_is_the_preprocess_input_of_keras(backbone: Backbone):
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    ours = keras.ops.convert_to_numpy(build_scaling(backbone.scaling, 8)(images))
    np.testing.assert_allclose(ours, keras_module(backbone).preprocess_input(images.copy()), atol=1e-5)


@pytest.mark.parametrize(
    "backbone", [b for b in OF_KERAS if b.scaling == "built_in"], ids=lambda backbone: backbone.name
)
def test_where_keras_scales_nothing_the_backbone_does_it_itself(backbone: Backbone):
    first = {layer.kind for layer in load_outline(backbone.name).layers[:4]}
    assert first & {"Rescaling", "Normalization"}


def test_lite_is_scaled_as_it_was_trained():
    images = np.array([0, 127, 255], np.float32)[:, None, None, None] * np.ones((1, 4, 4, 3), np.float32)
    scaled = keras.ops.convert_to_numpy(build_scaling("lite", 4)(images))[:, 0, 0, 0]
    np.testing.assert_allclose(scaled, [-127 / 128, 0, 1], atol=1e-6)


@pytest.mark.parametrize("scaling", ["built_in", "minus_one_to_one", "imagenet_caffe", "imagenet_torch", "lite"])
def test_scaling_has_no_weights_and_stays_in_float32(scaling):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_scaling(scaling, 8)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.count_params() == 0
    assert model.output.dtype == "float32"


@pytest.mark.parametrize(
    ("name", "size", "side"),
    [("vgg16", 224, 7), ("vgg16", 180, 5), ("vgg16", 150, 4), ("xception", 150, 5), ("efficientnet_lite0", 97, 4)],
)
def test_feature_maps_have_the_size_that_recipes_give(name: str, size: int, side: int):
    assert feature_shape(get_backbone(name), size)[:2] == (side, side)


def test_an_image_too_small_leaves_no_features():
    assert feature_shape(get_backbone("inception_v3"), 20) == (0, 0, 2048)


def test_records_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_backbone("vgg16").features = 1  # type: ignore[misc]
