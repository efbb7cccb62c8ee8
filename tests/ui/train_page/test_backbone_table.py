"""The table of backbones says what a person needs to choose one."""

from __future__ import annotations

import pytest

from tl_core.backbones.registry import BACKBONES, get_backbone
from tl_core.config import TrainingConfig
from ui.train_page.backbone_table import (
    COLUMNS,
    HERE,
    availability,
    backbone_rows,
    describe_backbone,
    how_to_get_weights,
    search,
)


def embedded(backbone):
    return backbone.download_mb == 0


@pytest.fixture
def rows():
    return backbone_rows(BACKBONES.values(), embedded)


def test_every_backbone_has_a_row_with_every_column(rows):
    assert {row["name"] for row in rows} == set(BACKBONES)
    assert all(set(COLUMNS) <= set(row) for row in rows)


def test_what_can_be_used_at_once_stands_first(rows):
    here = [row["here"] for row in rows]
    assert here[0]
    assert here == sorted(here, reverse=True)
    assert rows[0]["name"] == TrainingConfig().backbone


def test_the_others_show_the_size_of_their_download(rows):
    (vgg16,) = [row for row in rows if row["name"] == "vgg16"]
    assert vgg16["weights"] == "59 MB download"  # 14,714,688 parameters of 4 bytes


@pytest.mark.parametrize(
    ("words", "found"),
    [("vgg16", {"vgg16"}), ("VGG", {"vgg16", "vgg19"}), ("lite on machine", None), ("no such network", set())],
)
def test_search_finds_words_in_any_case_and_order(rows, words, found):
    names = {row["name"] for row in search(rows, words)}
    if found is None:
        found = {name for name, backbone in BACKBONES.items() if embedded(backbone)}
    assert names == found


def test_an_empty_search_shows_everything(rows):
    assert search(rows, "  ") == rows


def test_the_current_choice_in_one_line():
    line = describe_backbone(get_backbone(TrainingConfig().backbone), here=True)
    assert line.startswith("3.4 M parameters without a head · 75.1 % right on ImageNet · trained on 224 px images")
    assert line.endswith(HERE)


def test_a_missing_package_is_not_called_a_download_of_nothing():
    assert availability(get_backbone(TrainingConfig().backbone), here=False) == "not installed"


def test_missing_weights_come_with_a_way_to_get_them_without_a_network():
    vgg16 = get_backbone("vgg16")
    text = how_to_get_weights(vgg16)
    assert "59 MB" in text
    assert f"[{vgg16.weights_file}]({vgg16.weights_url})" in text
    assert "not installed" in how_to_get_weights(get_backbone(TrainingConfig().backbone))
