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
from benchmarks.defaults.document import write_document
from benchmarks.defaults.image_sets import SEEDS, SETS, SIZES, ImageSet, draw, load_set
from benchmarks.defaults.study import CHOSEN, FIRST_CONFIG, PLAIN_CONFIG, QUICK_CONFIG, compare_on
from tl_core.config import TrainingConfig
from tl_core.config.presets import PRESETS
from tl_core.data.dataset import SPLITS
from tl_core.errors import DataError

DOCS = Path(__file__).resolve().parents[2] / "docs"
MEASURED = json.loads((DOCS / "defaults.json").read_text(encoding="utf-8"))
# The others need packages of benchmarks/requirements.txt.
SHIPPED = ("digits", "surfaces", "faces", "scenes")


@pytest.fixture(scope="module", params=SHIPPED)
def images(request) -> ImageSet:
    return load_set(request.param)


def test_quick_start_is_what_the_study_recommends():
    documented = TrainingConfig.from_dict(MEASURED["quick_start"])
    assert documented == PRESETS["quick_start"].config == TrainingConfig() == QUICK_CONFIG


def test_quick_start_is_the_candidate_that_was_chosen():
    rounds = [{row["name"]: row["mean"] for row in MEASURED[name]} for name in ("first_round", "second_round")]
    assert all(means[CHOSEN] > 0 for means in rounds)
    chosen = replace(
        FIRST_CONFIG,
        preset="quick_start",
        learning_rate=2e-3,
        epochs=60,
        fine_tune_learning_rate=QUICK_CONFIG.fine_tune_learning_rate,
    )
    assert chosen == QUICK_CONFIG


def test_the_page_is_written_from_the_figures():
    assert write_document(MEASURED) == (DOCS / "defaults.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_cell_of_the_comparison_can_be_measured_again():
    said: list[str] = []
    cell = {"set": "surfaces", "size": 10, "seed": 1}
    (row,) = compare_on(("surfaces",), (10,), (1,), said.append)
    (before,) = [known for known in MEASURED["test"] if cell.items() <= known.items()]
    assert row.keys() == before.keys()
    assert [row[name] for name in ("plain", "quick_start")] == pytest.approx(
        [before[name] for name in ("plain", "quick_start")], abs=6
    )
    assert len(said) == 1


def test_the_plain_recipe_is_the_agreed_one():
    head = PLAIN_CONFIG.head
    assert (head.pooling, head.feature_normalization, head.dense_units) == ("average", "none", (256,))
    assert (head.activation, head.dropout, head.l2, head.batch_norm) == ("relu", 0.5, 0.0, False)
    assert (PLAIN_CONFIG.optimizer, PLAIN_CONFIG.learning_rate, PLAIN_CONFIG.epochs) == ("rmsprop", 1e-3, 20)
    assert (PLAIN_CONFIG.schedule, PLAIN_CONFIG.label_smoothing) == ("constant", 0.0)


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
    parts = [drawn.train, drawn.validation, drawn.development, drawn.test]
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
