"""ROC and precision-recall curves of every class against all others, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from tl_core.errors import NotEnoughDataError
from tl_core.figures.class_curves import MEAN, ClassCurve, Kind, Values
from tl_core.inference.calibration import Labels, Probabilities

GRID: Final = np.linspace(0, 1, 201)  # where the mean curve is computed


def class_curves(
    probabilities: Probabilities, labels: Labels, classes: Sequence[str], kind: Kind
) -> tuple[list[ClassCurve], ClassCurve]:
    """The curve of each class that has images, and the mean over them (macro average).

    Args:
        classes: names, in the order of the columns.

    Raises:
        NotEnoughDataError: all images are of one class, so there is no other class.
    """
    if len(np.unique(labels)) < 2:
        raise NotEnoughDataError("These images are all of one class, so there is nothing to tell it apart from.")
    curve_of = _CURVES[kind]
    curves = [
        curve_of(name, labels == index, probabilities[:, index])
        for index, name in enumerate(classes)
        if (labels == index).any()
    ]
    return curves, _mean(curves, kind)


def _roc(name: str, is_it: npt.NDArray[np.bool_], sure: Values) -> ClassCurve:
    alarms, found, _ = roc_curve(is_it, sure)
    return ClassCurve(name, alarms, found, float(auc(alarms, found)), int(is_it.sum()))


def _precision_recall(name: str, is_it: npt.NDArray[np.bool_], sure: Values) -> ClassCurve:
    precision, recall, _ = precision_recall_curve(is_it, sure, drop_intermediate=True)
    area = float(average_precision_score(is_it, sure))
    return ClassCurve(name, recall[::-1], precision[::-1], area, int(is_it.sum()))


_CURVES: Final[dict[Kind, Callable[[str, npt.NDArray[np.bool_], Values], ClassCurve]]] = {
    "roc": _roc,
    "precision_recall": _precision_recall,
}


def _mean(curves: Sequence[ClassCurve], kind: Kind) -> ClassCurve:
    heights = np.mean([_at_grid(curve, kind) for curve in curves], axis=0)
    area = float(np.mean([curve.area for curve in curves]))
    return ClassCurve(MEAN, GRID, heights, area, sum(curve.images for curve in curves))


def _at_grid(curve: ClassCurve, kind: Kind) -> Values:
    """The height of a curve on the grid; precision is a step whose value is that of its right end."""
    if kind == "roc":
        return np.asarray(np.interp(GRID, curve.x, curve.y))
    places = np.minimum(np.searchsorted(curve.x, GRID - 1e-12), len(curve.x) - 1)
    return np.asarray(curve.y[places])
