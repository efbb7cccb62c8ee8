"""Backbones of KerasHub, made by KerasHub and rebuilt from plain layers, which have to say the same."""

from __future__ import annotations

from typing import Any

import keras
import keras_hub
import numpy as np
import pytest

from tests.tl_core.imported_models.networks.presets import (
    TINY_DINO,
    TINY_RESNET,
    TINY_TOWER,
    TINY_VIT,
    TINY_WORDS,
    shaken,
)
from tl_core.backbones.block_maps import as_map, block_map, tokens_of
from tl_core.backbones.make_outlines import outline_of_network, strides_of
from tl_core.backbones.outline import STRIDES
from tl_core.errors import ModelFileError
from tl_core.imported_models.check.model_file import check_model_file
from tl_core.imported_models.networks.opening import _write_keras
from tl_core.imported_models.networks.preset import Preprocessing
from tl_core.imported_models.networks.preset_layers import image_part, network_of_backbone

models = keras_hub.models
TO_ONE = Preprocessing((1 / 127.5,), (-1.0, -1.1, -0.9), None)
TINY_DEIT = {key: value for key, value in TINY_VIT.items() if key != "mlp_dim"} | {"intermediate_dim": 24}


def two_towers(kind: str) -> Any:
    see, read, both = (getattr(models, f"{kind}{part}") for part in ("VisionEncoder", "TextEncoder", "Backbone"))
    words = TINY_WORDS | ({"projection_dim": 16} if kind == "SigLIP" else {})
    return both(see(**TINY_TOWER), read(**words), **({} if kind == "SigLIP" else {"projection_dim": 16}))


FAMILIES = {
    "vit": lambda: models.ViTBackbone(**TINY_VIT),
    "dinov2": lambda: models.DINOV2Backbone(**TINY_DINO),
    "siglip": lambda: two_towers("SigLIP"),
    "resnet": lambda: models.ResNetBackbone(**TINY_RESNET),
}
MORE = {
    "vit without a class token": lambda: models.ViTBackbone(**TINY_VIT, use_class_token=False, use_patch_bias=False),
    "deit": lambda: models.DeiTBackbone(**TINY_DEIT),
    "clip": lambda: two_towers("CLIP"),
    "resnet v2": lambda: models.ResNetBackbone(**TINY_RESNET, use_pre_activation=True),
    "vgg": lambda: models.VGGBackbone(stackwise_num_repeats=[1, 1], stackwise_num_filters=[8, 8]),
    "densenet": lambda: models.DenseNetBackbone([1, 1, 1], growth_rate=4),
    "xception": lambda: models.XceptionBackbone([[8, 8], [8, 8]], [True, False]),
    "efficientnet": lambda: models.EfficientNetBackbone(
        width_coefficient=1.0,
        depth_coefficient=1.0,
        stackwise_kernel_sizes=[3, 3],
        stackwise_num_repeats=[1, 2],
        stackwise_input_filters=[8, 8],
        stackwise_output_filters=[8, 16],
        stackwise_expansion_ratios=[1, 4],
        stackwise_squeeze_and_excite_ratios=[0, 0.25],
        stackwise_strides=[1, 2],
        stackwise_block_types=["fused", "unfused"],
        stackwise_force_input_filters=[0, 0],
        stackwise_nores_option=[False, False],
    ),
    "mobilenet": lambda: models.MobileNetBackbone(
        stackwise_expansion=[[8], [16, 24]],
        stackwise_num_blocks=[1, 2],
        stackwise_num_filters=[[8], [8, 8]],
        stackwise_kernel_size=[[3], [5, 5]],
        stackwise_num_strides=[[2], [2, 1]],
        stackwise_se_ratio=[[None], [0.25, 0.25]],
        stackwise_activation=[["relu"], ["hard_swish", "hard_swish"]],
        stackwise_padding=[[1], [2, 2]],
        output_num_filters=16,
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        last_layer_filter=24,
    ),
    "cspnet": lambda: models.CSPNetBackbone(
        stem_filters=8,
        stem_kernel_size=3,
        stem_strides=1,
        stackwise_strides=2,
        stackwise_depth=[1, 2],
        stackwise_num_filters=[16, 24],
        down_growth=True,
        bottle_ratio=(0.5, 1.0),
        block_ratio=(1.0, 0.5),
        expand_ratio=(2.0, 1.0),
        block_type="dark_block",
        stage_type="csp",
        stem_padding="same",
    ),
    "hgnetv2": lambda: models.HGNetV2Backbone(
        depths=[1, 1],
        embedding_size=16,
        hidden_sizes=[16, 24],
        stem_channels=[3, 8, 16],
        hidden_act="relu",
        use_learnable_affine_block=True,
        stackwise_stage_filters=[[16, 8, 16, 1, 2, 3], [16, 8, 24, 1, 2, 3]],
        apply_downsample=[False, True],
        use_lightweight_conv_block=[False, True],
        image_shape=(64, 64, 3),
    ),
}
SIZES = {"vit": 32, "siglip": 32, "dinov2": 42, "vit without a class token": 32, "deit": 32, "clip": 32}


def rebuilt(backbone: Any, size: int) -> tuple[Any, Any]:
    seeing = image_part(shaken(backbone))
    return seeing, network_of_backbone(seeing, TO_ONE, size)


def same(seeing: Any, base: Any, size: int) -> None:
    images = np.random.default_rng(1).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    scaled = images * np.float32(TO_ONE.scale[0]) + np.asarray(TO_ONE.offset, np.float32)
    theirs = np.asarray(as_map(base, seeing(scaled, training=False)))
    assert theirs.std() > 1e-4
    np.testing.assert_allclose(np.asarray(base(images, training=False)), theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILIES, *(pytest.param(name, marks=pytest.mark.long) for name in MORE)])
def test_a_family_is_rebuilt_from_plain_layers(name: str, tmp_path):
    size = SIZES.get(name, 64)
    seeing, base = rebuilt({**FAMILIES, **MORE}[name](), size)
    same(seeing, base, size)
    _write_keras(base, tmp_path / "network.keras")
    assert check_model_file(tmp_path / "network.keras", classifier=False).image_size == size
    opened = keras.models.load_model(tmp_path / "network.keras")
    same(seeing, opened, size)
    assert {type(layer).__module__.partition(".src.")[0] for layer in opened.layers} == {"keras"}


def test_a_transformer_has_a_map_of_its_patches_after_every_block():
    _, base = rebuilt(FAMILIES["dinov2"](), 42)
    assert (tokens_of(base), base.output_shape) == (36 + 1 + 2, (None, 6, 6, 16))
    outline = outline_of_network(base)
    assert [title for title, _ in outline["blocks"]] == ["Stem", "Block 1", "Block 2", "Block 3"]
    assert outline["channels"] == [16, 16, 16, 16]
    ends = [first for _, first in outline["blocks"][1:]]
    assert [tuple(block_map(base, end).shape) for end in ends] == [(None, 6, 6, 16)] * 3
    size = 42
    for letter in strides_of(base):
        size = STRIDES[letter](size)
    assert size == 6


def test_all_that_a_transformer_knows_can_be_trained():
    _, base = rebuilt(FAMILIES["vit"](), 32)
    embedding = next(layer for layer in base.layers if isinstance(layer, keras.layers.EinsumDense))
    assert [tuple(weight.shape) for weight in embedding.trainable_weights] == [(8 * 8 * 3, 16), (17, 16)]
    assert sum(isinstance(layer, keras.layers.MultiHeadAttention) for layer in base.layers) == 3


def test_what_no_plain_layer_stands_for_is_named():
    class Odd(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.cumsum(x, axis=1)

    image = keras.Input((32, 32, 3))
    with pytest.raises(ModelFileError, match="uses Cumsum in a way"):
        network_of_backbone(keras.Model(image, Odd()(image)), None, 32)
