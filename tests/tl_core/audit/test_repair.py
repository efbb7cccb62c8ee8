"""What mended labels have gained, told apart from what is right by definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import import_coloured
from tl_core.audit import repair
from tl_core.audit.label_court import LabelSuspect, find_witnesses
from tl_core.audit.repair import Repair, measure_repair
from tl_core.data.editing import move_images
from tl_core.storage.workspace import Workspace

COLOURS = {"brick": (200, 60, 60), "gravel": (60, 60, 200)}


@pytest.fixture
def room(tmp_path):
    return Workspace(tmp_path / "workspace").ensure()


@pytest.fixture
def truth(room):
    """A dataset of two classes, whose features tell these apart with some overlap."""
    return import_coloured(room, COLOURS, 40)


def features_of(truth):
    kind = {record.pixels_sha256: record.label for record in truth.images}
    noise = dict(zip(kind, np.random.default_rng(2).normal(size=(len(kind), 20)), strict=True))
    return lambda dataset: np.array(
        [np.eye(20)[0] * 5 * kind[record.pixels_sha256] + noise[record.pixels_sha256] for record in dataset.images],
        np.float32,
    )


def test_mending_wrong_labels_is_measured_on_all_images_and_on_those_left_alone(room, truth, monkeypatch):
    features = features_of(truth)
    monkeypatch.setattr(
        repair, "FeatureSource", lambda dataset, _: type("S", (), {"read": lambda _: features(dataset)})()
    )
    wrong = [image for image in truth.of_split("train") if image.label == 0][:10]
    worse = move_images(room, truth.id, wrong, to_class="gravel")
    back = [image for image in worse.images if image.pixels_sha256 in {record.pixels_sha256 for record in wrong}]
    mended = move_images(room, truth.id, back, to_class="brick")
    found = measure_repair(worse, mended)
    assert found.changed == 10
    assert found.after >= found.before + 0.05
    assert found.untouched_after >= found.untouched_before
    assert found.text.startswith("10 images were changed. Models that have not seen a picture now get ")


def test_what_is_said_of_the_images_left_alone():
    same = Repair(1, 0.8, 0.9, 0.9, 0.9)
    assert same.text.endswith("Among the pictures that were left alone nothing has changed.")
    assert "1 image was changed" in same.text
    better = replace(same, untouched_after=0.95)
    assert "it is 95.0 %, before 90.0 %" in better.text
    assert better.text.endswith("learned better.")
    assert replace(same, untouched_after=0.85).text.endswith("learned worse.")


def test_the_witnesses_of_a_doubtful_label_are_the_images_most_like_it(truth):
    features = features_of(truth)(truth)
    suspects = [LabelSuspect(image, "brick", "gravel", 0.9) for image in (truth.images[0], truth.images[-1])]
    found = find_witnesses(truth, features, suspects)
    for suspect in suspects:
        beside = found[suspect.record]
        assert len(beside) == 4
        assert suspect.record not in beside
        assert sum(image.label == suspect.record.label for image in beside) >= 3
