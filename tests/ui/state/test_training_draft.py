"""Another backbone is frozen where the last one was."""

from __future__ import annotations

import pytest

from tl_core.backbones.outline import load_outline
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError
from ui.state.training_draft import Draft
from ui.train_page.freezing import _trainable_by_cut


@pytest.fixture
def draft():
    draft = Draft()
    draft.fill(TrainingConfig(backbone="vgg16"))
    return draft


@pytest.mark.parametrize("name", ["all", "all_but_last_block", "half", "none"])
def test_a_cut_with_a_name_keeps_it(draft, name):
    draft.freeze(draft.outline.presets()[name])
    draft.choose_backbone("resnet50")
    assert draft.frozen_layers == draft.outline.presets()[name]


def test_a_cut_between_two_blocks_stays_between_two_blocks(draft):
    draft.freeze(draft.outline.blocks[3].first)
    draft.choose_backbone("mobilenet_v2")
    assert draft.frozen_layers in {block.first for block in draft.outline.blocks}
    assert 0.4 < draft.frozen_layers / len(draft.outline.layers) < 0.75


def test_all_layers_is_no_number(draft):
    draft.freeze(len(draft.outline.layers))
    assert draft.values["frozen_layers"] is None


def test_an_image_size_that_is_too_small_for_the_new_backbone_is_given_up(draft):
    draft.update({"image_size": 48})
    draft.choose_backbone("xception")
    assert draft.values["image_size"] is None


def test_a_size_that_fits_is_kept(draft):
    draft.update({"image_size": 150})
    draft.choose_backbone("xception")
    assert draft.values["image_size"] == 150


def test_more_frozen_layers_than_there_are_is_refused_and_changes_nothing(draft):
    before = dict(draft.values)
    with pytest.raises(ConfigError, match="VGG16 has 19 layers"):
        draft.fill(TrainingConfig(backbone="vgg16", frozen_layers=20))
    assert draft.values == before


@pytest.mark.parametrize("name", ["vgg16", "efficientnet_lite0", "resnet50"])
def test_the_map_counts_as_the_outline_does(name):
    outline = load_outline(name)
    counts = _trainable_by_cut(name)
    assert len(counts) == len(outline.layers) + 1
    assert counts == tuple(outline.trainable_parameters(cut) for cut in range(len(counts)))
