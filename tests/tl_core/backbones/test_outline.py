from __future__ import annotations

import pytest

from tl_core.backbones.make_outlines import Grouping, group_layers, settled_names
from tl_core.backbones.outline import OUTLINES, feature_shape, load_outline
from tl_core.backbones.registry import BACKBONES, get_backbone
from tl_core.config.head import MAX_BLOCKS
from tl_core.errors import ConfigError


@pytest.mark.parametrize("name", BACKBONES)
def test_blocks_cover_all_layers_without_gaps(name: str):
    outline = load_outline(name)
    assert outline.blocks[0].first == 0
    assert outline.blocks[-1].end == len(outline.layers)
    for before, after in zip(outline.blocks, outline.blocks[1:], strict=False):
        assert before.first < before.end == after.first
    assert all(outline.blocks[layer.block].first <= index < outline.blocks[layer.block].end
               for index, layer in enumerate(outline.layers))  # fmt: skip


@pytest.mark.parametrize("name", BACKBONES)
def test_counts_add_up(name: str):
    outline = load_outline(name)
    assert outline.parameters == get_backbone(name).base_parameters
    assert outline.feature_shape == feature_shape(get_backbone(name))
    assert sum(block.parameters for block in outline.blocks) == outline.parameters
    assert all(block.parameters for block in outline.blocks if block.title != "Stem")
    assert 0 < outline.trainable_parameters(0) <= outline.parameters
    assert outline.trainable_parameters(None) == outline.trainable_parameters(len(outline.layers)) == 0


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_as_many_blocks_as_a_head_can_look_at(name: str):
    outline = load_outline(name)
    assert len(outline.earlier_channels) >= MAX_BLOCKS - 1
    assert outline.blocks[-1].channels == outline.feature_shape[-1]


@pytest.mark.parametrize("name", BACKBONES)
def test_presets_leave_something_to_learn(name: str):
    outline = load_outline(name)
    presets = outline.presets()
    assert list(presets) == ["all", "all_but_last_block", "half", "none"]
    assert presets["all"] == len(outline.layers)
    assert presets["none"] == 0
    assert outline.trainable_parameters(presets["all_but_last_block"]) > 0
    assert outline.blocks[-1].end > presets["all_but_last_block"] > presets["half"]


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("efficientnet_lite0", ["Stem", *(f"Block {n}" for n in range(1, 8)), "Head conv"]),
        ("efficientnet_b0", ["Stem", *(f"Block {n}" for n in range(1, 8)), "Head conv"]),
        ("vgg16", [f"Block {n}" for n in range(1, 6)]),
        ("resnet50", ["Stem", "Block 1", "Block 2", "Block 3", "Block 4"]),
        ("densenet121", ["Stem", "Block 1", "Block 2", "Block 3", "Block 4"]),
        ("convnext_tiny", ["Stem", "Block 1", "Block 2", "Block 3", "Block 4"]),
        ("mobilenet_v2", ["Stem", *(f"Block {n}" for n in range(1, 18)), "Head conv"]),
        ("inception_v3", ["Stem", *(f"Block {n}" for n in range(1, 12))]),
        ("xception", [f"Block {n}" for n in range(1, 15)]),
        ("nasnet_mobile", ["Stem", *(f"Cell {n}" for n in range(1, 15))]),
    ],
)
def test_blocks_have_names_a_teacher_can_read(name: str, titles: list[str]):
    assert [block.title for block in load_outline(name).blocks] == titles


def test_vgg16_is_as_the_recipes_count_it():
    outline = load_outline("vgg16")
    assert outline.feature_shape == (7, 7, 512)
    assert outline.index("block5_conv1") == len(outline.layers) - 4 == 15
    assert outline.trainable_parameters(15) == 7_079_424
    assert sum(block.batch_norms for block in outline.blocks) == 0


def test_batch_norms_are_counted():
    lite = load_outline("efficientnet_lite0")
    assert sum(block.batch_norms for block in lite.blocks) == 49
    frozen_statistics = lite.parameters - lite.trainable_parameters(0)
    assert frozen_statistics == sum(
        layer.parameters // 2 for layer in lite.layers if layer.kind == "BatchNormalization"
    )


def test_inception_opens_the_two_blocks_that_the_keras_documentation_opens():
    assert load_outline("inception_v3").presets()["all_but_last_block"] == 249


@pytest.mark.parametrize("frozen", [-1, 20])
def test_a_number_of_layers_out_of_range_is_refused(frozen: int):
    with pytest.raises(ConfigError, match="VGG16 has 19 layers, of which 0 to 19 can be frozen"):
        load_outline("vgg16").trainable_parameters(frozen)


def test_an_unknown_layer_is_refused():
    with pytest.raises(ConfigError, match="no layer named “block9_conv1”"):
        load_outline("vgg16").index("block9_conv1")


def test_all_outlines_together_stay_small():
    assert sum(path.stat().st_size for path in OUTLINES.glob("*.json")) < 400_000


def test_unnamed_layers_count_from_the_start_again():
    names = ["input_layer_3", "conv2d_58", "block1_conv", "conv2d_57", "max_pooling2d", "re_lu_12"]
    kinds = ["InputLayer", "Conv2D", "Conv2D", "Conv2D", "MaxPooling2D", "ReLU"]
    settled = ["input_layer", "conv2d_1", "block1_conv", "conv2d", "max_pooling2d", "re_lu"]
    assert settled_names(names, kinds) == settled


def test_layers_group_by_where_a_block_starts_or_ends():
    names = ["input", "conv", "block1_a", "add", "block2_a", "block1_late", "top"]
    starts = Grouping(starts=r"^block\d", head="^top$")
    assert group_layers(names, starts) == [("Stem", 0), ("Block 1", 2), ("Block 2", 4), ("Head conv", 6)]
    assert group_layers(names, Grouping(starts=r"^block\d", stem=None)) == [("Block 1", 0), ("Block 2", 4)]
    assert group_layers(names, Grouping(ends="^(conv|add)$")) == [("Stem", 0), ("Block 1", 2), ("Block 2", 4)]
