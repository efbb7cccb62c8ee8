"""Figures of class curves, calibration and coverage."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tl_core.figures.calibration import (
    calibration_figure,
    describe_calibration,
    describe_risk_coverage,
    risk_coverage_figure,
)
from tl_core.figures.class_curves import NAMED_CLASSES, ClassCurve, class_curves_figure, describe_class_curves
from tl_core.inference.calibration import CalibrationBin, RiskCoverage

GROUPS = [CalibrationBin(0.55, 0.6, 10), CalibrationBin(0.95, 0.7, 90)]
CURVE = [RiskCoverage(0.0, 1.0, 0.8), RiskCoverage(0.5, 0.9, 0.9), RiskCoverage(0.9, 0.4, 1.0)]


def curve(name, area, points=50):
    x = np.linspace(0, 1, points)
    return ClassCurve(name, x, x ** (1 / area - 1), area, 10)


def all_curves(classes, points=50):
    curves = [curve(f"class {number}", 0.95 - 0.4 * number / classes, points) for number in range(classes)]
    return curves, curve("mean", 0.8)


def test_few_classes_all_have_a_name_and_a_colour():
    curves, mean = all_curves(3)
    figure = class_curves_figure(curves, mean, "roc")
    assert [trace.name for trace in figure.data if trace.showlegend is not False][-1] == "Mean of all classes (0.800)"
    assert len([trace for trace in figure.data if trace.showlegend is not False]) == 4
    assert len({trace.line.color for trace in figure.data}) == 4


@pytest.mark.parametrize("kind", ["roc", "precision_recall"])
def test_of_many_classes_the_weakest_are_named_and_lie_over_the_others(kind):
    curves, mean = all_curves(40, points=900)
    figure = class_curves_figure(curves, mean, kind)
    named = [trace.name for trace in figure.data if trace.showlegend]
    assert len(named) == NAMED_CLASSES
    assert named[-1].startswith("class 39")
    assert not any(trace.showlegend for trace in figure.data[: 40 - NAMED_CLASSES])
    assert len(json.dumps(figure.to_plotly_json(), default=list)) < 400_000
    for trace in figure.data[:-1]:
        assert (trace.x[0], trace.x[-1]) == (0, 1)


def test_class_names_are_no_html():
    figure = class_curves_figure([curve("<img>", 0.9)], curve("mean", 0.9), "roc")
    assert "<img>" not in json.dumps(figure.to_plotly_json(), default=list)


def test_class_curves_as_text():
    curves, mean = all_curves(2)
    assert describe_class_curves(curves, mean, "precision_recall") == (
        "Precision-recall curves of 2 classes: the mean average precision is 0.800; "
        "the weakest class is class 1 with 0.750."
    )


def test_the_calibration_curve_has_a_mark_per_group_larger_for_more_answers():
    figure = calibration_figure(GROUPS, 0.23)
    marks = figure.data[0]
    assert (list(marks.x), list(marks.y)) == ([0.55, 0.95], [0.6, 0.7])
    assert marks.marker.size[0] < marks.marker.size[1]
    assert "23.0 %" in figure.layout.annotations[0].text
    assert describe_calibration(GROUPS, 0.23) == (
        "Calibration curve: expected calibration error 23.0%. The group that adds most to it: 90 answers given with "
        "95% on average, of which 70% are right."
    )
    assert describe_calibration([], 0.0) == "Calibration curve: expected calibration error 0.0%."


def test_the_chosen_threshold_is_marked_on_the_curve():
    figure = risk_coverage_figure(CURVE, CURVE[1])
    line, star = figure.data
    assert (list(line.x), list(line.y)) == ([1.0, 0.9, 0.4], [0.8, 0.9, 1.0])
    assert (star.x[0], star.y[0]) == (0.9, 0.9)
    assert describe_risk_coverage(CURVE, CURVE[1]).endswith(
        "With the chosen threshold of 50.0%, 90.0% are answered and 90.0% of these are right."
    )


def test_a_curve_of_many_thresholds_keeps_both_ends():
    curve = [RiskCoverage(place / 5000, 1 - place / 5000, 0.8 + place / 26000) for place in range(5000)]
    line, _ = risk_coverage_figure(curve, curve[10]).data
    assert len(line.x) == 400
    assert (line.x[0], line.x[-1]) == (1.0, round(curve[-1].coverage, 4))
