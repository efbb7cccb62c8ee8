"""All measures of an evaluation in one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tl_core.errors import NotEnoughDataError
from tl_core.evaluation.class_curves import class_curves
from tl_core.evaluation.evaluate import Evaluation
from tl_core.figures.class_curves import ClassCurve, Kind
from tl_core.inference.calibration import (
    Calibration,
    CalibrationBin,
    RiskCoverage,
    apply_temperature,
    at_threshold,
    calibration_bins,
    expected_calibration_error,
    risk_coverage_curve,
    wilson_interval,
)

KINDS: Final[tuple[Kind, ...]] = ("roc", "precision_recall")


@dataclass(frozen=True, slots=True)
class Measures:
    """An evaluation with what follows from it; shares and probabilities are 0-1."""

    evaluation: Evaluation
    right: int  # images that got their class
    accuracy_range: tuple[float, float]  # 95 % confidence interval of the accuracy
    curves: dict[Kind, tuple[list[ClassCurve], ClassCurve]]  # see `class_curves`; empty with images of one class
    calibration: tuple[CalibrationBin, ...]
    calibration_error: float  # expected calibration error
    confidence: Calibration  # saved with the model
    corrected_error: float  # expected calibration error with the saved temperature
    coverage: tuple[RiskCoverage, ...]  # what every threshold does on these images, with the saved temperature
    answered: RiskCoverage  # what the saved threshold does on them

    @property
    def images(self) -> int:
        """How many were measured."""
        return len(self.evaluation.labels)


def take_measures(evaluation: Evaluation, confidence: Calibration) -> Measures:
    """Compute what the evaluation leaves open.

    Args:
        evaluation: of at least one image.
        confidence: temperature and threshold of its model.
    """
    probabilities, labels = evaluation.probabilities, evaluation.labels
    corrected = apply_temperature(probabilities, confidence.temperature)
    right = int(np.trace(evaluation.confusion))
    coverage = risk_coverage_curve(corrected, labels)
    return Measures(
        evaluation=evaluation,
        right=right,
        accuracy_range=wilson_interval(right, len(labels)),
        curves=_curves(evaluation),
        calibration=tuple(calibration_bins(probabilities, labels)),
        calibration_error=expected_calibration_error(probabilities, labels),
        confidence=confidence,
        corrected_error=expected_calibration_error(corrected, labels),
        coverage=tuple(coverage),
        answered=at_threshold(coverage, confidence.threshold),
    )


def as_values(measures: Measures) -> dict[str, Any]:
    """All figures as plain JSON values, without the images they were measured on."""
    found = measures.evaluation
    return {
        "split": found.split,
        "images": measures.images,
        "classes": list(found.classes),
        "accuracy": found.accuracy,
        "accuracy_range_95": list(measures.accuracy_range),
        "top_k": {str(k): share for k, share in found.top_k.items()},
        "balanced_accuracy": found.balanced_accuracy,
        "macro_f1": found.macro_f1,
        "per_class": [
            {"class": row.name, "precision": row.precision, "recall": row.recall, "f1": row.f1, "images": row.support}
            for row in found.per_class
        ],
        "confusion": found.confusion.tolist(),
        "roc_auc": _areas(measures, "roc"),
        "average_precision": _areas(measures, "precision_recall"),
        "calibration": {
            "expected_error": measures.calibration_error,
            "expected_error_with_temperature": measures.corrected_error,
            "groups": [
                {"mean_probability": group.confidence, "accuracy": group.accuracy, "answers": group.answers}
                for group in measures.calibration
            ],
        },
        "threshold": {
            "temperature": measures.confidence.temperature,
            "threshold": measures.confidence.threshold,
            "accepted": measures.confidence.accepted,
            "coverage": measures.answered.coverage,
            "accuracy": measures.answered.accuracy,
        },
    }


def _curves(found: Evaluation) -> dict[Kind, tuple[list[ClassCurve], ClassCurve]]:
    try:
        return {kind: class_curves(found.probabilities, found.labels, found.classes, kind) for kind in KINDS}
    except NotEnoughDataError:  # images of one class alone: the other measures are still defined
        return {}


def _areas(measures: Measures, kind: Kind) -> dict[str, Any] | None:
    """The mean area and that of each class, by name; None where there are no curves."""
    if kind not in measures.curves:
        return None
    curves, mean = measures.curves[kind]
    return {"mean": mean.area, "per_class": {curve.name: curve.area for curve in curves}}
