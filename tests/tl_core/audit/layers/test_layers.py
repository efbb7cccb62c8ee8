"""What the blocks of a backbone are found to see and to know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import png
from tl_core.audit.layers import block_outputs
from tl_core.audit.layers.block_outputs import read_block_features
from tl_core.audit.layers.maps import STRONGEST, feature_maps
from tl_core.audit.layers.probes import FAVOURITES, chosen_rows, study_layers
from tl_core.backbones.build import build_backbone
from tl_core.backbones.outline import load_outline
from tl_core.backbones.registry import all_backbones
from tl_core.data import import_sample, import_uploads, read_image
from tl_core.data.dataset import fingerprint_of
from tl_core.data.decoding import fit_to_square
from tl_core.errors import NotEnoughDataError, StoppedError
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace

LITE0 = "efficientnet_lite0"
SIZE = 64  # px, where the figures may be coarse


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory):
    dataset = import_sample(Workspace(tmp_path_factory.mktemp("layers") / "workspace").ensure(), "surfaces")
    images = dataset.images[::4]
    return replace(dataset, images=images, fingerprint=fingerprint_of(dataset.classes, images))


@pytest.fixture(scope="module")
def study(surfaces):
    return study_layers(surfaces, LITE0, SIZE)


@pytest.mark.slow
def test_the_classes_come_apart_from_block_to_block(study):
    outline = load_outline(LITE0)
    assert [(block.title, block.end) for block in study.blocks] == [
        (block.title, block.end) for block in outline.blocks
    ]
    assert study.chance < 0.5
    assert study.blocks[-1].accuracy > 0.85
    assert max(block.accuracy for block in study.blocks[2:]) > study.blocks[0].accuracy


def test_the_frozen_part_ends_after_the_last_whole_block(study):
    assert study.after(0) is None
    assert study.after(study.blocks[1].end).title == "Block 1"
    assert study.after(study.blocks[2].end - 1).title == "Block 1"
    assert study.after(10_000) is study.blocks[-1]


def test_images_to_test_with_are_left_alone(surfaces, study):
    assert {record.split for record in study.images} == {"train", "validation"}
    assert len(study.images) == sum(record.split != "test" for record in surfaces.images)


def test_the_favourites_of_a_channel_excite_it_most(surfaces, study):
    features = read_block_features(surfaces, chosen_rows(surfaces), LITE0, SIZE)
    for block, found in zip(study.blocks, features, strict=True):
        assert block.favourites.shape == (found.most.shape[1], FAVOURITES)
        for channel in (0, found.most.shape[1] - 1):
            values = found.most[:, channel]
            assert values[block.favourites[channel]].tolist() == sorted(values, reverse=True)[:FAVOURITES]


def test_a_second_study_runs_no_network(surfaces, study, monkeypatch):
    monkeypatch.setattr(block_outputs, "compile_network", None)
    again = study_layers(surfaces, LITE0, SIZE)
    assert [block.accuracy for block in again.blocks] == [block.accuracy for block in study.blocks]


def test_a_study_can_be_stopped(surfaces):
    asked = iter([False, False, True])
    with pytest.raises(StoppedError):
        study_layers(surfaces, LITE0, SIZE + 32, TaskContext(should_stop=lambda: next(asked, True)))


def test_a_large_dataset_is_looked_at_in_even_shares(surfaces):
    chosen = [surfaces.images[row] for row in chosen_rows(surfaces, most=30)]
    assert np.bincount([record.label for record in chosen]).tolist() == [10, 10, 10]


def test_too_few_images_are_a_sentence(surfaces):
    few = replace(surfaces, images=[record for record in surfaces.images if record.label == 0])
    with pytest.raises(NotEnoughDataError, match=r"at least two classes of 5 images.* Received: 1 such class"):
        study_layers(few, LITE0, SIZE)


def test_the_maps_of_a_picture_get_smaller_and_more(surfaces):
    picture = read_image(surfaces.path_of(surfaces.images[0]))
    blocks = feature_maps(LITE0, picture)
    assert [block.title for block in blocks] == [block.title for block in load_outline(LITE0).blocks]
    assert blocks[0].side == (112, 112)
    assert blocks[-1].side == (7, 7)
    for block in blocks:
        assert block.maps.shape == (STRONGEST, *block.side)
        assert block.mean.shape == block.side
        assert block.maps.min() == 0
        assert block.maps.max() == 1
        assert len(set(block.strongest)) == STRONGEST


def maps_of_random_weights(name, monkeypatch):
    monkeypatch.setattr(
        block_outputs, "acquire_backbone", lambda name, size, task: build_backbone(name, size, "random")
    )
    monkeypatch.setattr(block_outputs, "release_backbone", lambda *_: None)
    picture = np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    return feature_maps(name, picture)


def check_maps(name, monkeypatch):
    outline = load_outline(name)
    titles = [block.title for block in outline.blocks if block.channels]
    blocks = maps_of_random_weights(name, monkeypatch)
    assert [block.title for block in blocks] == titles
    assert [block.channels for block in blocks] == [block.channels for block in outline.blocks if block.channels]


def test_a_backbone_with_many_branches_has_maps_too(monkeypatch):
    check_maps("mobilenet_v3_small", monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("name", [backbone.name for backbone in all_backbones()])
def test_every_backbone_of_the_registry_has_maps(name, monkeypatch):
    check_maps(name, monkeypatch)


def test_a_picture_is_seen_as_the_training_would_see_it(surfaces):
    wide = np.random.default_rng(0).integers(0, 256, (40, 120, 3), dtype=np.uint8)
    bordered = feature_maps(LITE0, wide, SIZE, fit="border")
    by_hand = feature_maps(LITE0, fit_to_square(wide, SIZE, "border"), SIZE)
    squeezed = feature_maps(LITE0, wide, SIZE)
    assert np.array_equal(bordered[-1].mean, by_hand[-1].mean)
    assert not np.allclose(bordered[-1].mean, squeezed[-1].mean)


@pytest.mark.slow
def test_images_that_are_not_square_are_seen_as_the_training_would_see_them(tmp_path):
    rng = np.random.default_rng(0)
    shapes = {"wide": (40, 80), "high": (80, 40)}
    images = {
        name: [(f"{n}.png", png(rng.integers(0, 256, (*side, 3)))) for n in range(5)] for name, side in shapes.items()
    }
    dataset = import_uploads(Workspace(tmp_path / "workspace").ensure(), images, "Shapes")
    rows = np.arange(len(dataset.images))
    bordered, squeezed = (
        read_block_features(dataset, rows, LITE0, SIZE, fit=fit)[-1].average for fit in ("border", "squeeze")
    )
    assert not np.allclose(bordered, squeezed)
    assert np.array_equal(read_block_features(dataset, rows, LITE0, SIZE)[-1].average, squeezed)
