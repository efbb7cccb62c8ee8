"""The order in which images are shown."""

from __future__ import annotations

import numpy as np
import pytest

from tl_core.evaluation.ranking import least_certain, losses, of_cell, worst_mistakes

PROBABILITIES = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.0, 1.0], [0.2, 0.8]], np.float32)
LABELS = np.array([0, 0, 1, 0, 1])


def test_the_loss_is_the_cross_entropy_and_finite_where_the_model_is_certain_and_wrong():
    found = losses(PROBABILITIES, LABELS)
    assert found[:2] == pytest.approx([-np.log(0.9), -np.log(0.4)])
    assert 20 < found[3] < 100


def test_the_worst_mistake_comes_first_and_right_answers_not_at_all():
    assert worst_mistakes(PROBABILITIES, LABELS).tolist() == [3, 1]
    assert worst_mistakes(PROBABILITIES, PROBABILITIES.argmax(axis=1)).tolist() == []


def test_the_least_certain_has_two_classes_that_are_nearly_equal():
    assert least_certain(PROBABILITIES).tolist() == [2, 1, 4, 0, 3]


def test_a_cell_holds_its_images_alone_the_surest_first():
    assert of_cell(PROBABILITIES, LABELS, true=0, predicted=1).tolist() == [3, 1]
    assert of_cell(PROBABILITIES, LABELS, true=1, predicted=1).tolist() == [4, 2]
    assert of_cell(PROBABILITIES, LABELS, true=1, predicted=0).tolist() == []
