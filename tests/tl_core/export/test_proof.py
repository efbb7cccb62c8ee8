"""What counts as the same answer."""

from __future__ import annotations

import numpy as np
import pytest

from tl_core.export.building import spread
from tl_core.export.formats import FORMATS
from tl_core.export.proof import Proof, compare_novelty, compare_predictions, images_for

EXACT, QUANTISED = FORMATS["tflite"], FORMATS["tflite_int8"]
APP = np.array([[0.9, 0.1], [0.2, 0.8]] * 50, np.float32)
LABELS = np.array([0, 1] * 50)


def moved(by):
    return APP + np.array([by, -by], np.float32)


@pytest.mark.parametrize(("by", "passes"), [(0.0, True), (0.0009, True), (0.0012, False), (0.2, False)])
def test_float_formats_are_judged_by_their_probabilities(by, passes):
    proof = compare_predictions(EXACT, APP, moved(by), LABELS)
    assert proof.passed is passes
    assert proof.max_difference == pytest.approx(by, abs=1e-6)
    assert passes or f"{by:.2g}" in proof.failure


@pytest.mark.parametrize(("wrong", "passes"), [(0, True), (2, True), (3, False)])
def test_quantised_formats_are_judged_by_their_accuracy(wrong, passes):
    export = APP.copy()
    export[:wrong] = export[:wrong, ::-1]
    proof = compare_predictions(QUANTISED, APP, export, LABELS)
    assert proof.passed is passes
    assert (proof.app_accuracy, proof.accuracy) == (1.0, pytest.approx(1 - wrong / 100))
    assert passes or "97.0 %" in proof.failure


def test_a_better_accuracy_is_no_failure():
    assert compare_predictions(QUANTISED, APP[:, ::-1], APP, LABELS).passed


@pytest.mark.parametrize("export", [APP[:, :1], np.full_like(APP, np.nan)], ids=["shape", "nan"])
@pytest.mark.parametrize("form", [EXACT, QUANTISED], ids=["float", "quantised"])
def test_nonsense_is_refused(form, export):
    assert "not offered" in compare_predictions(form, APP, export, LABELS).failure


@pytest.mark.parametrize(
    ("form", "export", "passes"),
    [
        (EXACT, [0.5, 0.901, 3.01], True),
        (EXACT, [0.5, 0.95, 3.0], False),
        (QUANTISED, [0.6, 0.8, 2.5], True),
        (QUANTISED, [0.5, 0.9, 0.9], False),
        (EXACT, [0.5, np.nan, 3.0], False),
    ],
    ids=["close", "far", "fewer digits", "noise is known", "no number"],
)
def test_an_export_has_to_refuse_noise_as_the_dashboard_does(form, export, passes):
    good = Proof(images=2, max_difference=0.0, accuracy=1.0, app_accuracy=1.0)
    app = np.array([0.5, 0.9, 3.0], np.float32)
    proof = compare_novelty(form, good, app, np.array(export, np.float32))
    assert proof.passed is passes
    assert proof.refuses_noise is bool(export[-1] > 1)


def test_images_are_spread_over_all():
    assert spread(range(100), 5) == [0, 24, 49, 74, 99]
    assert spread([1, 2], 5) == [1, 2]
    assert spread([], 5) == []
    assert images_for(EXACT) == 32
    assert images_for(QUANTISED) > 50, "two points of accuracy can be told"
