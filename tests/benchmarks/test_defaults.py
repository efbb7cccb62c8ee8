"""The study of defaults: its sets keep what they promise, and the quick start is what the study recommends."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.defaults.array_pickle import read_array, unpickle_array
from benchmarks.defaults.candidates import CHANGES, CHOSEN, FIRST_CONFIG, PLAIN_CONFIG, QUICK_CONFIG
from benchmarks.defaults.image_sets import SETS, ImageSet, load_set
from benchmarks.defaults.sampling import IMBALANCE, SEEDS, SIZES, draw, thinned
from tl_core.config import TrainingConfig
from tl_core.config.presets import PRESETS
from tl_core.data.dataset import SPLITS
from tl_core.errors import DataError

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "defaults.json"
# The others need packages of benchmarks/requirements.txt.
SHIPPED = ("digits", "surfaces", "faces", "scenes")


@pytest.fixture(scope="module", params=SHIPPED)
def images(request) -> ImageSet:
    return load_set(request.param)


def test_quick_start_is_what_the_study_recommends():
    documented = TrainingConfig.from_dict(json.loads(RESULTS.read_text(encoding="utf-8"))["quick_start"])
    assert documented == PRESETS["quick_start"].config == TrainingConfig() == QUICK_CONFIG


def test_quick_start_is_the_candidate_that_was_chosen():
    fine_tuning_rate = QUICK_CONFIG.fine_tune_learning_rate
    chosen = replace(CHANGES[CHOSEN], preset="quick_start", fine_tune_learning_rate=fine_tuning_rate)
    assert chosen == QUICK_CONFIG


def test_the_plain_recipe_is_the_agreed_one():
    head = PLAIN_CONFIG.head
    assert (head.pooling, head.feature_normalization, head.dense_units) == ("average", "none", (256,))
    assert (head.activation, head.dropout, head.l2, head.batch_norm) == ("relu", 0.5, 0.0, False)
    assert (PLAIN_CONFIG.optimizer, PLAIN_CONFIG.learning_rate, PLAIN_CONFIG.epochs) == ("rmsprop", 1e-3, 20)
    assert (PLAIN_CONFIG.schedule, PLAIN_CONFIG.label_smoothing) == ("constant", 0.0)


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_changes_something(name: str):
    assert CHANGES[name] != FIRST_CONFIG


def test_the_pools_of_a_set_have_the_promised_sizes(images: ImageSet):
    for pool in SPLITS:
        for label in range(len(images.classes)):
            assert len(images.of_pool(pool, label)) == images.description.pools[pool]
    assert len(images.classes) == images.description.classes
    assert len(images.images) == len(images.classes) * sum(images.description.pools.values())


def test_no_picture_lies_in_two_pools(images: ImageSet):
    pixels = {
        pool: {image.tobytes() for image, own in zip(images.images, images.pools, strict=True) if own == pool}
        for pool in SPLITS
    }
    assert not pixels["train"] & pixels["validation"]
    assert not pixels["train"] & pixels["test"]
    assert not pixels["validation"] & pixels["test"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_draw_keeps_learning_watching_choosing_and_testing_apart(images: ImageSet, size: int | None, seed: int):
    drawn = draw(images, size, seed)
    parts = [drawn.train, drawn.watched, drawn.development, drawn.test]
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    assert (np.bincount(images.labels[drawn.train]) == (size or images.description.pools["train"])).all()
    assert (images.pools[drawn.test] == "test").all()
    assert min(len(part) for part in parts) >= len(images.classes) * 2


def test_another_seed_draws_other_images_and_the_same_test_images():
    images = load_set("scenes")
    one, same, other = draw(images, 10, 1), draw(images, 10, 1), draw(images, 10, 2)
    assert np.array_equal(one.train, same.train)
    assert not np.array_equal(np.sort(one.train), np.sort(other.train))
    assert np.array_equal(one.test, other.test)


def test_thinning_makes_training_unbalanced_and_leaves_the_test_images():
    images = load_set("scenes")
    drawn = draw(images, 40, 1)
    thin = thinned(images, drawn, 1)
    counts = np.bincount(images.labels[thin.train])
    assert counts.max() == 40
    assert counts.min() == 40 / IMBALANCE
    assert np.isin(thin.train, drawn.train).all()
    assert np.array_equal(thin.test, drawn.test)


@pytest.mark.parametrize("name", SETS)
def test_every_set_names_kind_package_and_licence(name: str):
    description = SETS[name]
    assert description.kind
    assert description.package
    assert description.license


@pytest.mark.parametrize("array", [np.arange(6, dtype=np.uint8).reshape(2, 3), np.array([-1, 2**40])])
def test_a_plain_array_is_read_from_a_pickle(array: np.ndarray):
    # Protocol 3 writes names as text; NumPy 1, which wrote the files of the study, called its core "numpy.core".
    data = pickle.dumps(array, protocol=3).replace(b"numpy._core", b"numpy.core")
    found = unpickle_array(data, "x")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def test_a_pickle_that_names_anything_else_is_refused():
    class Bad:
        def __reduce__(self):
            return os.system, ("true",)

    with pytest.raises(DataError, match="not allowed"):
        unpickle_array(pickle.dumps(Bad()), "x")


@pytest.mark.parametrize("data", [b"", b"\x80\x04N.", pickle.dumps([1, 2])])
def test_a_pickle_without_an_array_is_refused(data: bytes):
    with pytest.raises(DataError):
        unpickle_array(data, "x")


def test_a_file_of_another_release_is_refused(tmp_path: Path):
    path = tmp_path / "array.gz"
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match="not the one of the tested release"):
        read_array(path, "0" * 64)
    with pytest.raises(DataError, match="cannot be read"):
        read_array(tmp_path / "missing.gz", "0" * 64)
