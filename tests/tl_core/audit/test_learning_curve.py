"""How accuracy grows with the number of photos, and what is forecast from that."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.tl_core.small_trainings import import_coloured
from tl_core.audit import learning_curve
from tl_core.audit.learning_curve import FEWEST, photos_needed, power_law
from tl_core.errors import NotEnoughDataError, StoppedError
from tl_core.figures.datasets.learning_curve import describe_learning_curve, learning_curve_figure
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace


def test_the_forecast_goes_on_with_a_power_law():
    photos = np.array([10.0, 20, 40, 80, 160, 320])
    accuracy = 0.95 - 0.8 * photos**-0.5
    ahead = np.array([320.0, 640, 1280])
    assert power_law(photos, accuracy, ahead) == pytest.approx(0.95 - 0.8 * ahead**-0.5, abs=0.002)


def test_a_curve_that_falls_is_forecast_to_stay():
    found = power_law(np.array([10.0, 20, 40]), np.array([0.9, 0.89, 0.88]), np.array([40.0, 80]))
    assert found[0] == pytest.approx(found[1])
    assert 0.88 <= found[0] <= 0.9


@pytest.fixture
def features(monkeypatch):
    """In place of the backbone's: classes that overlap, the third more than the others."""

    class Source:
        def __init__(self, dataset, task):
            self._labels = np.array([record.label for record in dataset.images])

        def read(self):
            centres = np.array([[4.0, 0, 0], [0, 4, 0], [0.5, 3, 0]]) @ np.eye(3, 60)
            noise = np.random.default_rng(1).normal(size=(len(self._labels), 60))
            return (centres[self._labels] + noise).astype(np.float32)

    monkeypatch.setattr(learning_curve, "FeatureSource", Source)


@pytest.fixture
def dataset(tmp_path):
    colours = {"brick": (200, 60, 60), "gravel": (60, 60, 200), "wood": (60, 160, 60)}
    return import_coloured(Workspace(tmp_path / "workspace").ensure(), colours, 40)


def test_more_photos_help_the_classes_that_are_mixed_up(dataset, features):
    found = photos_needed(dataset)
    curve = found.overall
    assert list(curve.photos) == sorted(curve.photos)
    assert curve.photos[-1] == 120 * 4 / 5
    assert curve.ahead[0] == len(dataset.of_split("train"))
    assert curve.ahead[-1] == 4 * curve.ahead[0]
    assert curve.accuracy[-1] > curve.accuracy[0] + 0.1
    assert all(low <= middle <= high for low, middle, high in zip(curve.low, curve.accuracy, curve.high, strict=True))
    reached = {entry.name: entry.accuracy[-1] for entry in found.classes}
    assert reached["brick"] > max(reached["gravel"], reached["wood"])
    assert curve.gain[1] <= curve.gain[0] <= curve.gain[2]
    assert found.text.startswith("Twice as many photos would probably give ")
    values = found.as_values()
    assert set(values) == {"text", "overall", "classes"}
    assert [entry["class"] for entry in values["classes"]] == ["brick", "gravel", "wood"]
    figure = learning_curve_figure(curve)
    assert [trace.name for trace in figure.data if trace.showlegend is None] == ["Measured", "Forecast"]
    low, high = figure.layout.xaxis.range  # logarithms, as the place of a text on such an axis
    assert low < np.log10(curve.photos[0]) < np.log10(curve.ahead[-1]) < high
    assert [10**note.x for note in figure.layout.annotations] == pytest.approx([curve.ahead[0]])
    assert "the forecast for" in describe_learning_curve(curve, "All classes")


def test_larger_parts_hold_the_smaller_ones():
    labels = np.repeat([0, 1], [30, 10])
    amounts = learning_curve._amounts(np.bincount(labels))
    parts = [
        set(learning_curve._part(labels, np.ones(40, bool), amount, np.random.default_rng(3)).tolist())
        for amount in amounts
    ]
    assert all(small <= large for small, large in itertools.pairwise(parts))
    assert {len(part) for part in parts} == {int(amount.sum()) for amount in amounts}


def test_too_few_images_are_a_sentence_and_it_can_be_stopped(tmp_path, dataset, features):
    few = import_coloured(
        Workspace(tmp_path / "few").ensure(), {"a": (200, 60, 60), "b": (60, 60, 200)}, FEWEST // 2 - 2
    )
    with pytest.raises(NotEnoughDataError, match="at least 20 images"):
        photos_needed(few)
    with pytest.raises(StoppedError):
        photos_needed(dataset, TaskContext(should_stop=lambda: True))
