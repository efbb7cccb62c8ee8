"""Which of the measured images are worth a look, and in which order.

All functions return row numbers into ``probabilities`` and ``labels``; of two equal images the first comes first.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.inference.calibration import Labels, Probabilities

Rows = npt.NDArray[np.int64]

_SMALLEST: Final = 1e-12  # probability; its logarithm is finite


def losses(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """The cross-entropy of each image, ``(n,)``: 0 where the true class is certain, large where a mistake is."""
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(-np.log(np.maximum(of_truth, _SMALLEST)))


def worst_mistakes(probabilities: Probabilities, labels: Labels) -> Rows:
    """The images with a wrong prediction, highest loss first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return _sorted(wrong, -losses(probabilities, labels)[wrong])


def least_certain(probabilities: Probabilities) -> Rows:
    """All images, those with the smallest margin between the two likeliest classes first."""
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    return _sorted(np.arange(len(probabilities)), first - second)


def of_cell(probabilities: Probabilities, labels: Labels, true: int, predicted: int) -> Rows:
    """The images of one cell of the confusion matrix, highest probability first."""
    inside = np.flatnonzero((labels == true) & (probabilities.argmax(axis=1) == predicted))
    return _sorted(inside, -probabilities[inside, predicted])


def _sorted(rows: npt.NDArray[np.intp], by: npt.NDArray[np.floating[Any]]) -> Rows:
    return np.asarray(rows[np.argsort(by, kind="stable")], np.int64)
