"""The map of images: who lies beside whom, and what a change costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tl_core.audit import image_map
from tl_core.audit.image_map import LANDMARKS, ImageMap, lay_out
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.errors import StoppedError
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace

CLASSES = 4


def records(count: int) -> tuple[ImageRecord, ...]:
    return tuple(
        ImageRecord(f"images/{row:064x}.png", row % CLASSES, "train", 32, 32, f"{row}.png", f"{row:064x}")
        for row in range(count)
    )


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    room = Workspace(tmp_path / "workspace").ensure()
    path = Path(room.datasets) / "mapped"
    names = tuple("abcd")
    return Dataset("mapped", "Mapped", path, names, records(120), (), "", "test", "", given_splits=False)


def features(count: int, seed: int = 0) -> np.ndarray:
    """Of images of four kinds, far from each other."""
    rng = np.random.default_rng(seed)
    centres = 12 * np.random.default_rng(9).normal(size=(CLASSES, 20))
    return (centres[np.arange(count) % CLASSES] + rng.normal(size=(count, 20))).astype(np.float32)


def neighbours_of_their_kind(places: np.ndarray) -> float:
    """The share of images whose nearest neighbour on the map is of the same kind."""
    distances = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    kinds = np.arange(len(places)) % CLASSES
    return float(np.mean(kinds[distances.argmin(axis=1)] == kinds))


def test_images_that_look_alike_lie_beside_each_other(dataset):
    places = lay_out(dataset, features(120))
    assert places.shape == (120, 2)
    assert places.min() >= -0.1
    assert places.max() <= 1.1
    assert neighbours_of_their_kind(places) >= 0.95


def test_a_change_of_ten_images_leaves_the_others_where_they_were_and_is_not_laid_out_anew(dataset, monkeypatch):
    values = features(130)
    before = lay_out(dataset, values[:120])
    monkeypatch.setattr(image_map, "_landmarks", None)  # would fail if it were asked again
    assert np.array_equal(lay_out(dataset, values[:120]), before)
    grown = replace(dataset, images=records(130))
    after = lay_out(grown, values)
    assert np.array_equal(after[:120], before)
    assert neighbours_of_their_kind(after) >= 0.95
    moved = replace(grown, images=tuple(replace(record, label=0) for record in grown.images[5:]))
    assert np.array_equal(lay_out(moved, values[5:]), after[5:]), (
        "labels have no part in it, and removing costs nothing"
    )


def test_a_map_that_knows_too_few_of_the_images_is_laid_out_anew(dataset):
    values = features(120)
    few = replace(dataset, images=dataset.images[:30])
    small = lay_out(few, values[:30])
    whole = lay_out(dataset, values)
    assert neighbours_of_their_kind(whole) >= 0.95
    assert not np.array_equal(whole[:30], small)
    assert np.array_equal(lay_out(dataset, values), whole)


@pytest.mark.parametrize("count", [2, 4, 7])
def test_a_handful_of_images_has_a_map_too(dataset, count):
    places = lay_out(replace(dataset, images=records(count)), features(count))
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count


def test_images_beyond_the_landmarks_lie_beside_their_like_and_not_behind_each_other(monkeypatch):
    monkeypatch.setattr(image_map, "LANDMARKS", 60)
    places = image_map._laid_out(features(400), TaskContext())
    assert neighbours_of_their_kind(places) >= 0.95
    assert len(np.unique(places, axis=0)) == 400
    assert LANDMARKS > 1000


def test_it_can_be_stopped(dataset):
    with pytest.raises(StoppedError):
        lay_out(dataset, features(120), TaskContext(should_stop=lambda: True))
    assert lay_out(dataset, features(120)).shape == (120, 2)


def test_the_look_alikes_of_an_image_are_the_nearest_in_direction(dataset):
    values = features(120)
    directions = values / np.linalg.norm(values, axis=1, keepdims=True)
    row_of = {record.pixels_sha256: row for row, record in enumerate(dataset.images)}
    found = ImageMap(row_of, np.zeros((120, 2), np.float32), directions)
    assert found.covers(dataset)
    assert not found.covers(replace(dataset, images=records(121)))
    alike = found.look_alikes(dataset, dataset.images[3], 6)
    assert [record.label for record in alike] == [3] * 6
    assert dataset.images[3] not in alike
