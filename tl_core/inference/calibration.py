"""Calibration of a model's probabilities, and the threshold below which it answers *I don't know*.

A measured accuracy gets its confidence interval. All else is measured on validation images: a temperature that
calibrates the probabilities, and a threshold below which predictions are rejected. Both are saved beside the model
and belong to that model alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tl_core.config.validation import from_mapping, require_number
from tl_core.errors import ConfigError, NotEnoughDataError, WorkspaceError
from tl_core.runs import RunFolder, RunRecord
from tl_core.runs.store import RUNS
from tl_core.storage.files import read_json, write_json
from tl_core.storage.schemas import CALIBRATION
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

Probabilities = npt.NDArray[np.floating[Any]]
"""``(n, classes)``, rows of sum 1."""
Labels = npt.NDArray[np.integer[Any]]
"""``(n,)``, the true classes."""

TEMPERATURES: Final = (0.05, 20.0)  # searched; outside, something else is wrong
ACCEPTED: Final = 0.98
"""At 0.95 one known picture in 20 is refused, so one or two in each lesson, in front of the class. At 0.99 most small
sets have too few validation images to know where that share ends: it takes 99 of them, in place of 49."""
BINS: Final = 10
Z_95: Final = 1.959964  # quantile of the normal distribution for a two-sided interval of 95 %
_SMALLEST: Final = 1e-12  # probability; its logarithm is finite
_PRECISION: Final = 1e-9  # of the logarithm of the temperature


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Temperature and threshold of one model."""

    model_sha256: str  # of the model it was measured for
    temperature: float = 1.0  # above 1 makes probabilities less extreme
    threshold: float = 0.0  # an answer below this probability is *I don't know*; 0 = always answer
    accepted: float = ACCEPTED  # share of known things that are not to count as unlike all; 1 = nothing is unlike

    def __post_init__(self) -> None:
        require_number("Temperature", self.temperature, *TEMPERATURES)
        require_number("Threshold", self.threshold, 0, 1)
        require_number("Accepted share", self.accepted, 0.5, 1)


class CalibrationBin(NamedTuple):
    """Predictions whose probability is in one tenth."""

    confidence: float  # mean probability of the answers, 0-1
    accuracy: float  # share of them that is right, 0-1
    answers: int


class RiskCoverage(NamedTuple):
    """What a threshold does."""

    threshold: float
    coverage: float  # share of images that get an answer, 0-1
    accuracy: float  # share of these answers that is right, 0-1; 1 where there is none


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """The 95 % confidence interval of the accuracy (Wilson, JASA 22, 1927).

    Args:
        right: images that were right, at most ``images``.
        images: at least 1.

    Returns:
        Lower and upper end, 0-1.
    """
    share, z2 = right / images, Z_95**2
    middle = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = Z_95 / (1 + z2 / images) * math.sqrt(share * (1 - share) / images + z2 / (4 * images**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def apply_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Probabilities of the scores divided by ``temperature``; the order of the classes stays.

    Args:
        probabilities: ``(n, classes)``.
        temperature: above 0; 1 changes nothing.
    """
    if temperature == 1:
        return probabilities
    scores = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
    scores -= scores.max(axis=1, keepdims=True)
    odds = np.exp(scores)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), probabilities.dtype)


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """The temperature under which the true classes are most likely (Guo et al., ICML 2017, arXiv 1706.04599).

    Raises:
        NotEnoughDataError: there is no image.
    """
    from scipy.optimize import minimize_scalar  # 0.2 s, which pages that only read what was chosen do without

    _require_images(labels)
    wide = probabilities.astype(np.float64)

    def loss(log_temperature: float) -> float:
        calm = apply_temperature(wide, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(calm[np.arange(len(labels)), labels], _SMALLEST)).mean())

    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": _PRECISION})
    # The search looks between the ends alone, and where every answer is right the loss is flat.
    return float(np.clip(np.exp(min((low, found.x, high), key=loss)), *TEMPERATURES))


def calibration_bins(probabilities: Probabilities, labels: Labels, bins: int = BINS) -> list[CalibrationBin]:
    """Predictions grouped by their probability into ``bins`` equal ranges; empty ranges are left out."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return [
        CalibrationBin(float(sure[place == index].mean()), float(right[place == index].mean()), int(count))
        for index, count in enumerate(np.bincount(place, minlength=bins))
        if count
    ]


def expected_calibration_error(probabilities: Probabilities, labels: Labels, bins: int = BINS) -> float:
    """Mean distance between probability and share of right predictions, 0-1 (Guo et al. 2017, equation 3)."""
    groups = calibration_bins(probabilities, labels, bins)
    return sum(group.answers * abs(group.confidence - group.accuracy) for group in groups) / max(1, len(labels))


def risk_coverage_curve(probabilities: Probabilities, labels: Labels) -> list[RiskCoverage]:
    """Coverage and accuracy of every threshold that makes a difference, from *always answer* upwards.

    Raises:
        NotEnoughDataError: there is no image.
    """
    _require_images(labels)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    thresholds = [0.0, *sorted(set(sure.tolist()))]
    answered = (sure >= threshold for threshold in thresholds)  # never none: every threshold is a probability
    return [
        RiskCoverage(threshold, float(given.mean()), float(right[given].mean()))
        for threshold, given in zip(thresholds, answered, strict=True)
    ]


def at_threshold(curve: Sequence[RiskCoverage], threshold: float) -> RiskCoverage:
    """What any threshold does: the curve is flat between two probabilities that occur, so as the next one above."""
    following = (point for point in curve if point.threshold >= threshold)
    return next(following, RiskCoverage(threshold, 0.0, 1.0))._replace(threshold=threshold)


def suggest_threshold(probabilities: Probabilities, labels: Labels, accuracy: float) -> RiskCoverage | None:
    """The lowest threshold at which the accepted predictions reach an accuracy; None if none does.

    Args:
        accuracy: target share of right predictions, 0-1.
    """
    require_number("Accuracy", accuracy, 0, 1)
    return next((point for point in risk_coverage_curve(probabilities, labels) if point.accuracy >= accuracy), None)


def save_calibration(workspace: Workspace, run: RunRecord, calibration: Calibration) -> None:
    """Save it beside the model of a run.

    Raises:
        NotYoursError: the run is somebody else's, shared or not.
        WorkspaceError: the workspace cannot be written.
    """
    RUNS.require_mine(workspace, run.id)
    write_json(run.folder.calibration_file, CALIBRATION.stamped(asdict(calibration)))


def load_calibration(folder: RunFolder, model_sha256: str | None) -> Calibration:
    """What was chosen for this very model; else one that changes nothing.

    Args:
        model_sha256: of the model in use; one that was measured for another model counts as none.

    Raises:
        NewerVersionError: a newer version of this program wrote it: without it other answers would be given.
    """
    plain = Calibration(model_sha256=model_sha256 or "")
    try:
        kept = from_mapping(Calibration, CALIBRATION.upgraded(read_json(folder.calibration_file)))
    except FileNotFoundError:
        return plain
    except (WorkspaceError, ConfigError) as error:
        logger.warning("The calibration of the model cannot be read and is left out: %s", error)
        return plain
    return kept if kept.model_sha256 == plain.model_sha256 else plain


def _require_images(labels: Labels) -> None:
    if not len(labels):
        raise NotEnoughDataError("There is no validation image to measure the probabilities by.")
