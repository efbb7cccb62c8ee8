"""An image looks like training images of its own kind."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, coloured, import_coloured
from tl_core.data import import_uploads
from tl_core.errors import DataError, StoppedError
from tl_core.inference.nearest_neighbours import cached_features, feature_vectors, nearest_neighbours
from tl_core.machine.progress import TaskContext


def test_the_nearest_neighbours_of_a_red_image_are_red(shared_run, dataset):
    features = feature_vectors(shared_run.record.path, dataset)
    assert np.linalg.norm(features, axis=1) == pytest.approx(np.ones(len(dataset.images)), abs=1e-5)
    for image in dataset.of_split("test"):
        found = nearest_neighbours(features, dataset, image, count=4)
        assert [neighbour.record.split for neighbour in found] == ["train"] * 4
        assert {neighbour.record.label for neighbour in found} == {image.label}
        similarity = [neighbour.similarity for neighbour in found]
        assert similarity == sorted(similarity, reverse=True)
        assert similarity[0] <= 1 + 1e-5


def test_a_training_image_is_not_its_own_neighbour(shared_run, dataset):
    features = feature_vectors(shared_run.record.path, dataset)
    image = dataset.of_split("train")[0]
    assert image not in [neighbour.record for neighbour in nearest_neighbours(features, dataset, image, count=100)]


@pytest.mark.slow
def test_computed_with_progress_and_kept_for_this_model_and_dataset(shared_run, train_run, workspace):
    own = import_coloured(workspace, {name: COLOURS[name] for name in ("green", "red")}, count=8)
    assert cached_features(shared_run.record.path, own) is None
    told = []
    features = feature_vectors(shared_run.record.path, own, TaskContext(lambda at: told.append((at.done, at.total))))
    assert told[-1] == (16, 16)
    np.testing.assert_array_equal(cached_features(shared_run.record.path, own), features)
    assert cached_features(train_run(own, epochs=1).record.path, own) is None


def test_what_is_stopped_leaves_nothing_behind(shared_run, workspace):
    own = import_coloured(workspace, {name: COLOURS[name] for name in ("blue", "red")}, count=6)
    with pytest.raises(StoppedError):
        feature_vectors(shared_run.record.path, own, TaskContext(should_stop=lambda: True))
    assert cached_features(shared_run.record.path, own) is None


def test_an_image_that_is_gone_is_a_sentence(shared_run, dataset, workspace):
    features = feature_vectors(shared_run.record.path, dataset)
    images = {name: [(f"{n}.png", coloured(COLOURS[name], 900 + n)) for n in range(4)] for name in ("green", "red")}
    other = import_uploads(workspace, images, "Other")
    with pytest.raises(DataError, match="not in the dataset"):
        nearest_neighbours(features, dataset, other.images[0])
