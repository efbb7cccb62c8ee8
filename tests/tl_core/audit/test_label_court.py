"""The court judges no image by heads that have seen its copy, its look-alike or its recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tl_core.audit.label_court import judge_labels
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.storage.workspace import Workspace

SCENES, EACH = 60, 4  # pictures of one scene differ by next to nothing


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    """Labels that are drawn, one for each scene: nothing can be learned of them but by heart."""
    labels = np.random.default_rng(1).integers(2, size=SCENES)
    images = tuple(
        ImageRecord(
            f"images/{row:064x}.png", int(labels[row // EACH]), "train", 32, 32, f"{row:03}.png", f"{row:064x}"
        )
        for row in range(SCENES * EACH)
    )
    room = Workspace(tmp_path / "workspace").ensure()
    return Dataset("d", "D", Path(room.datasets) / "d", ("a", "b"), images, (), "", "", "", given_splits=False)


@pytest.fixture
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    scenes = np.repeat(rng.normal(size=(SCENES, 200)), EACH, axis=0)
    return (scenes + 0.01 * rng.normal(size=scenes.shape)).astype(np.float32)


def hashed(dataset: Dataset) -> Dataset:
    """Pictures of one scene look alike."""
    hashes = [np.random.default_rng(scene).bytes(32).hex() for scene in range(SCENES)]
    rows = enumerate(dataset.images)
    return replace(dataset, images=tuple(replace(one, perceptual_hash=hashes[row // EACH]) for row, one in rows))


def recorded(dataset: Dataset) -> Dataset:
    rows = enumerate(dataset.images)
    return replace(dataset, images=tuple(replace(one, group=f"walk {row // EACH}") for row, one in rows))


def test_alone_they_vouch_for_each_other(dataset, features):
    assert judge_labels(dataset, features).accuracy > 0.9


@pytest.mark.parametrize("known_by", [hashed, recorded], ids=["look-alikes", "recordings"])
def test_together_they_are_judged_by_strangers(dataset, features, known_by):
    assert judge_labels(known_by(dataset), features).accuracy < 0.65


def test_pairs_that_the_audit_has_found_are_judged_together(dataset, features):
    images = dataset.images
    pairs = [(images[row - row % EACH], one) for row, one in enumerate(images) if row % EACH]
    assert judge_labels(dataset, features, alike=pairs).accuracy < 0.65
