"""ROC and precision-recall curves, held against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from tl_core.errors import NotEnoughDataError
from tl_core.evaluation.class_curves import class_curves

KINDS = ("roc", "precision_recall")


def perfect(count=30, classes=3):
    labels = np.arange(count) % classes
    return np.eye(classes)[labels] * 0.8 + 0.2 / classes, labels


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_model_has_an_area_of_one_for_every_class(kind):
    probabilities, labels = perfect()
    curves, mean = class_curves(probabilities, labels, ("a", "b", "c"), kind)
    assert [curve.name for curve in curves] == ["a", "b", "c"]
    assert [curve.area for curve in curves] == pytest.approx([1, 1, 1])
    assert mean.area == pytest.approx(1)
    assert mean.y[1:-1] == pytest.approx(np.ones(len(mean.y) - 2))


def test_guessing_has_an_area_of_one_half_and_a_precision_of_the_share():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1], 4000)
    labels = (random.random(4000) < 0.25).astype(int)
    (_, rare), _ = class_curves(probabilities, labels, ("often", "rare"), "roc")
    assert rare.area == pytest.approx(0.5, abs=0.03)
    (_, rare), _ = class_curves(probabilities, labels, ("often", "rare"), "precision_recall")
    assert rare.area == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_x_never_falls_and_the_mean_lies_between_the_classes(kind):
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 300)
    scores = random.normal(0, 1, (300, 3)) + np.eye(3)[labels] * [2.0, 1.0, 0.5]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    curves, mean = class_curves(probabilities, labels, ("a", "b", "c"), kind)
    for curve in curves:
        assert (np.diff(curve.x) >= 0).all()
        assert curve.images == (labels == ("a", "b", "c").index(curve.name)).sum()
    areas = [curve.area for curve in curves]
    assert min(areas) < mean.area < max(areas)
    # The area under the mean curve is the mean of the areas, except for its steps.
    assert np.trapezoid(mean.y, mean.x) == pytest.approx(mean.area, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_without_images_has_no_curve(kind):
    probabilities, labels = perfect(classes=3)
    some = labels != 1
    curves, _ = class_curves(probabilities[some], labels[some], ("a", "b", "c"), kind)
    assert [curve.name for curve in curves] == ["a", "c"]


def test_images_of_one_class_are_a_sentence():
    with pytest.raises(NotEnoughDataError, match="all of one class"):
        class_curves(np.array([[0.9, 0.1]] * 3), np.zeros(3, int), ("a", "b"), "roc")
