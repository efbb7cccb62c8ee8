from __future__ import annotations

import keras
import pytest

from tests.tl_core.models.parameters import count_parameters
from tl_core.backbones.build import build_backbone
from tl_core.backbones.outline import load_outline
from tl_core.errors import ConfigError
from tl_core.models.classifier import freeze_layers


@pytest.fixture(scope="module")
def vgg16() -> keras.Model:
    return build_backbone("vgg16", 32, "random")


def test_all_frozen_leaves_nothing_to_learn(vgg16: keras.Model):
    freeze_layers(vgg16)
    assert count_parameters(vgg16) == (0, 14_714_688)


def test_all_but_the_last_four_layers_leaves_block_5(vgg16: keras.Model):
    freeze_layers(vgg16, len(vgg16.layers) - 4)
    assert count_parameters(vgg16) == (7_079_424, 14_714_688 - 7_079_424)
    assert [layer.name for layer in vgg16.layers if layer.trainable and layer.weights] == [
        "block5_conv1",
        "block5_conv2",
        "block5_conv3",
    ]


def test_layers_can_be_unfrozen_again(vgg16: keras.Model):
    freeze_layers(vgg16)
    freeze_layers(vgg16, 0)
    assert count_parameters(vgg16) == (14_714_688, 0)


@pytest.mark.parametrize("frozen", [-1, 20])
def test_a_number_out_of_range_is_refused(vgg16: keras.Model, frozen: int):
    with pytest.raises(ConfigError, match=f"has 19 layers, of which 0 to 19 can be frozen. Received: {frozen}"):
        freeze_layers(vgg16, frozen)


@pytest.fixture(scope="module", params=["efficientnet_lite0", "convnext_tiny", "mobilenet_v3_small"])
def named(request: pytest.FixtureRequest) -> tuple[str, keras.Model]:
    return request.param, build_backbone(request.param, 32, "random")


@pytest.mark.parametrize("place", ["all", "all_but_last_block", "half", "none"])
def test_the_outline_counts_as_the_model_does(named: tuple[str, keras.Model], place: str):
    name, base = named
    outline = load_outline(name)
    frozen = outline.presets()[place]
    freeze_layers(base, frozen)
    assert count_parameters(base)[0] == outline.trainable_parameters(frozen)
