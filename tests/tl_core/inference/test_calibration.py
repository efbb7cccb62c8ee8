"""Honest probabilities, and a threshold below which no answer is given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tl_core.runs.conftest import FakeDataset
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, NotEnoughDataError
from tl_core.inference.calibration import (
    Calibration,
    apply_temperature,
    calibration_bins,
    expected_calibration_error,
    fit_temperature,
    load_calibration,
    risk_coverage_curve,
    save_calibration,
    suggest_threshold,
)
from tl_core.runs import create_run
from tl_core.storage.workspace import Workspace


def honest(count=4000, classes=4, seed=0):
    """Probabilities, and labels drawn from them: as honest as can be."""
    random = np.random.default_rng(seed)
    scores = random.normal(0, 1.5, (count, classes))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = np.array([random.choice(classes, p=row) for row in probabilities])
    return probabilities, labels


def test_temperature_keeps_the_order_and_one_changes_nothing():
    probabilities, _ = honest(50)
    np.testing.assert_allclose(apply_temperature(probabilities, 1.0), probabilities, rtol=1e-6)
    for temperature in (0.3, 4.0):
        changed = apply_temperature(probabilities, temperature)
        np.testing.assert_allclose(changed.sum(axis=1), 1)
        assert (changed.argsort(axis=1) == probabilities.argsort(axis=1)).all()
    assert (
        apply_temperature(probabilities, 4.0).max()
        < probabilities.max()
        < apply_temperature(probabilities, 0.3).max()
    )


@pytest.mark.parametrize("exaggerated", [0.4, 1.0, 2.5])
def test_the_temperature_undoes_exaggeration(exaggerated):
    probabilities, labels = honest()
    sharp = apply_temperature(probabilities, 1 / exaggerated)
    assert fit_temperature(sharp, labels) == pytest.approx(exaggerated, rel=0.08)
    calmed = apply_temperature(sharp, fit_temperature(sharp, labels))
    assert expected_calibration_error(calmed, labels) < 0.03
    if exaggerated == 2.5:
        assert expected_calibration_error(sharp, labels) > 0.1


def test_certain_answers_do_not_break_the_search():
    certain = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert fit_temperature(certain, np.array([0, 1, 0])) == pytest.approx(0.05, rel=0.01)
    assert fit_temperature(certain, np.array([1, 0, 1])) == pytest.approx(20, rel=0.01)


def test_the_calibration_error_is_that_of_the_paper():
    # Ten answers of 0.8 of which six are right, ten of 0.6 of which six are right: (0.2 + 0.0) / 2.
    probabilities = np.array([[0.8, 0.2]] * 10 + [[0.6, 0.4]] * 10)
    labels = np.array(([0] * 6 + [1] * 4) * 2)
    bins = calibration_bins(probabilities, labels)
    assert [(round(b.confidence, 6), b.accuracy, b.answers) for b in bins] == [(0.6, 0.6, 10), (0.8, 0.6, 10)]
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.1)


def test_coverage_falls_and_the_ends_are_everything_and_the_surest():
    probabilities, labels = honest(500)
    curve = risk_coverage_curve(probabilities, labels)
    assert curve[0].coverage == 1
    assert curve[0].accuracy == (probabilities.argmax(axis=1) == labels).mean()
    assert curve[-1].coverage == pytest.approx(1 / 500)
    assert [point.coverage for point in curve] == sorted((point.coverage for point in curve), reverse=True)


def test_the_suggested_threshold_is_the_lowest_that_is_good_enough():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    labels = np.array([0, 0, 1, 0])
    assert suggest_threshold(probabilities, labels, 0.7).threshold == 0
    found = suggest_threshold(probabilities, labels, 0.95)
    assert (found.threshold, found.coverage, found.accuracy) == (0.8, 0.5, 1.0)
    assert suggest_threshold(probabilities, np.array([1, 1, 1, 1]), 0.5) is None


def test_without_images_it_is_a_sentence():
    with pytest.raises(NotEnoughDataError, match="no validation image"):
        fit_temperature(np.empty((0, 3)), np.empty(0, int))


def test_what_was_chosen_holds_for_its_model_alone(tmp_path):
    run = create_run(Workspace(tmp_path), TrainingConfig(), FakeDataset())
    folder = run.folder
    assert load_calibration(folder, "a" * 64) == Calibration(model_sha256="a" * 64)
    chosen = Calibration(model_sha256="a" * 64, temperature=1.7, threshold=0.6)
    save_calibration(run.workspace, run, chosen)
    assert load_calibration(folder, "a" * 64) == chosen
    assert load_calibration(folder, "b" * 64).threshold == 0
    for damaged in ("", "[]", '{"model_sha256": "x", "temperature": -1}'):
        folder.calibration_file.write_text(damaged)
        assert load_calibration(folder, "a" * 64).temperature == 1


def test_values_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="Threshold"):
        Calibration(model_sha256="", threshold=1.5)
