"""How many more photos? Accuracy against the number of training photos, overall and by class, and where it goes.

Heads are trained on nested parts of the images, each judged on images that it has not seen, in several divisions; the
spread of these is the band. The forecast is an inverse power law, error(n) = c + a n^-b, fitted to the measured curve
with more weight on its later points: Figueroa, Zeng-Treitler, Kandula, Ngo: Predicting sample size required for
classification performance, BMC Medical Informatics and Decision Making 12:8 (2012),
https://doi.org/10.1186/1472-6947-12-8. Its uncertainty comes from fits to the curves of resampled divisions.

All classes grow together, in the proportions they have. Photos are taken to be like those that are there: others, of
other places or in other light, teach more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from tl_core.audit.features import Features, FeatureSource
from tl_core.audit.heads import FOLDS, Labels, compact, folds_of, predict_held_out, side_by_side
from tl_core.data.dataset import Dataset
from tl_core.data.split import groups_of_images
from tl_core.errors import NotEnoughDataError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.format import count as counted
from tl_core.storage.format import percent

Shares = npt.NDArray[np.float64]

STOPPED: Final = "The look at the number of photos was stopped."
SIZES: Final = 7  # parts of the training images, each 1.4 to 2 times the one before
SMALLEST: Final = 1 / 32  # of the training images, or what leaves a middling class 2
MANY: Final = 1500  # images; from here on one division into folds is enough
REPEATS: Final = 2  # divisions into folds otherwise
FEWEST: Final = 20  # images, from which on there is a curve
AHEAD: Final = 4  # times the present number, as far as the forecast goes
STEPS: Final = 9  # points of the forecast
RESAMPLED: Final = 40  # fits, whose spread is the uncertainty
EXPONENTS: Final = np.linspace(0.1, 1.5, 15)
RANGE: Final = (10, 90)  # percentiles of bands and forecasts


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy against the number of photos; a band is the range of 8 in 10 divisions or fits."""

    name: str | None  # of a class, whose recall it is; None: of all images
    photos: tuple[int, ...]  # to train on, of the class or in all
    accuracy: tuple[float, ...]  # 0-1, on images that were not seen
    low: tuple[float, ...]
    high: tuple[float, ...]
    ahead: tuple[int, ...]  # photos of the forecast: from the present number to four times as many
    forecast: tuple[float, ...]
    forecast_low: tuple[float, ...]
    forecast_high: tuple[float, ...]
    gain: tuple[float, float, float]  # points (0-100) that twice as many photos probably give; from, to


@dataclass(frozen=True, slots=True)
class PhotosNeeded:
    """What more photos would give."""

    overall: Curve
    classes: tuple[Curve, ...]  # in the dataset's order

    @property
    def text(self) -> str:
        """The answer in a sentence or two."""
        gain, low, high = self.overall.gain
        reached = self.overall.forecast[0] + gain / 100
        if gain < 0.5:
            first = (
                f"Twice as many photos like these would change little: about {percent(reached, 0)} would be right, "
                "as now."
            )
        else:
            first = (
                f"Twice as many photos would probably give {_points(gain)} ({low:.0f} to {high:.0f}): about "
                f"{percent(reached, 0)} right in place of {percent(self.overall.forecast[0], 0)}."
            )
        best = max(self.classes, key=lambda curve: curve.gain[0])
        if best.gain[0] < max(1.0, gain + 0.5):
            return first
        return f"{first} Doubling them would help “{best.name}” most, by {_points(best.gain[0])}."

    def as_values(self) -> dict[str, Any]:
        """Plain values, as the command line prints them."""
        return {"text": self.text, "overall": _values(self.overall), "classes": [_values(c) for c in self.classes]}


def photos_needed(dataset: Dataset, task: TaskContext = UNATTENDED) -> PhotosNeeded:
    """Measure the curve of a dataset.

    Args:
        task: gets the progress; checked for a stop.

    Raises:
        NotEnoughDataError: there are fewer than 20 images.
        WeightsUnavailableError: the default backbone's weights are not here and cannot be downloaded.
        StoppedError: a stop was requested.
    """
    labels = np.array([record.label for record in dataset.images], np.int64)
    if len(labels) < FEWEST:
        raise NotEnoughDataError(
            f"A forecast needs at least {FEWEST} images, and there are {len(labels)}: any more will help."
        )
    groups = groups_of_images(dataset.images)
    values = compact(FeatureSource(dataset, task.part(0.0, 0.5)).read())
    photos, right = _measured(values, labels, groups, task.part(0.5, 1.0))
    sizes = np.bincount(labels)
    trains = np.array([record.split == "train" for record in dataset.images])
    present = np.bincount(labels[trains], minlength=len(sizes))
    overall = _curve(None, photos.sum(axis=1), (right @ sizes) / sizes.sum(), int(present.sum()))
    classes = tuple(
        _curve(name, photos[:, place], right[:, :, place], int(present[place]))
        for place, name in enumerate(dataset.classes)
    )
    return PhotosNeeded(overall, classes)


def _measured(values: Features, labels: Labels, groups: Sequence[str], task: TaskContext) -> tuple[Shares, Shares]:
    """The photos of each class at each size, and the recall of each class: ``(divisions, sizes, classes)``."""
    repeats = 1 if len(labels) > MANY else REPEATS
    divisions = [folds_of(labels, groups, np.random.default_rng(repeat)) for repeat in range(repeats)]
    amounts = _amounts(np.bincount(labels))
    work = [
        (repeat, fold, size) for repeat in range(repeats) for fold in range(FOLDS) for size in range(len(amounts))
    ]

    def judge(item: tuple[int, int, int]) -> Shares:
        task.stop_if_asked(STOPPED)
        repeat, fold, size = item
        outside = divisions[repeat] == fold
        inside = _part(labels, ~outside, amounts[size], np.random.default_rng([repeat, fold]))
        asked = predict_held_out(values[inside], labels[inside], values[outside], len(amounts[0])).argmax(axis=1)
        with np.errstate(invalid="ignore"):  # a fold may have no image of a rare class
            hits = np.bincount(labels[outside], weights=asked == labels[outside], minlength=len(amounts[0]))
            return np.asarray(hits / np.bincount(labels[outside], minlength=len(amounts[0])))

    recalls = []
    with side_by_side() as pool:
        for number, recall in enumerate(pool.map(judge, work), 1):
            task.report(number, len(work), "Training heads on more and more of the images")
            recalls.append(recall)
    found = np.array(recalls).reshape(repeats * FOLDS, len(amounts), -1)
    return amounts, np.where(np.isnan(found), np.nanmean(found, axis=0), found)


def _amounts(sizes: Labels) -> Shares:
    """Photos of each class, from few to those that the largest part has, ``(sizes, classes)``."""
    most = sizes * (FOLDS - 1) / FOLDS
    smallest = min(0.5, max(SMALLEST, 2 / float(np.median(most))))
    shares = np.geomspace(smallest, 1, SIZES)
    return np.maximum(1, np.round(shares[:, None] * most))


def _part(labels: Labels, allowed: npt.NDArray[np.bool_], amounts: Shares, rng: np.random.Generator) -> Labels:
    """Rows of a part of the images: of equal ``rng`` a larger part holds the smaller ones."""
    chosen = []
    for label, amount in enumerate(amounts):
        own = np.flatnonzero(allowed & (labels == label))
        chosen.append(rng.permutation(own)[: int(amount)])
    return np.concatenate(chosen)


def _curve(name: str | None, photos: Shares, accuracy: Shares, present: int) -> Curve:
    """
    Args:
        photos: ``(sizes,)``.
        accuracy: ``(divisions, sizes)``.
        present: photos to train on that there are.
    """
    rng = np.random.default_rng(0)
    ahead = np.unique(np.round(max(present, 1) * np.geomspace(1, AHEAD, STEPS)))  # twice is the one in the middle
    draws = rng.integers(len(accuracy), size=(RESAMPLED, len(accuracy)))
    fits = np.array([power_law(photos, accuracy[draw].mean(axis=0), ahead) for draw in draws])
    low, high = np.percentile(accuracy, RANGE, axis=0)
    fit = power_law(photos, accuracy.mean(axis=0), ahead)
    fit_low, fit_high = np.percentile(fits, RANGE, axis=0)
    twice = int(np.searchsorted(ahead, 2 * ahead[0]))
    gain_low, gain_high = np.percentile(fits[:, twice] - fits[:, 0], RANGE)
    return Curve(
        name,
        _whole(photos),
        _shares(accuracy.mean(axis=0)),
        _shares(low),
        _shares(high),
        _whole(ahead),
        _shares(fit),
        _shares(fit_low),
        _shares(fit_high),
        tuple(round(100 * float(share), 2) for share in (fit[twice] - fit[0], gain_low, gain_high)),  # type: ignore[arg-type]
    )


def power_law(photos: Shares, accuracy: Shares, ahead: Shares) -> Shares:
    """Accuracy at other numbers of photos, by the inverse power law that fits best.

    Args:
        photos: ``(sizes,)``, at least 1.
        accuracy: ``(sizes,)``, 0-1.
        ahead: numbers that are asked for.

    Returns:
        As ``ahead``; it never falls, and is at most 1.
    """
    weights = np.sqrt(np.arange(1, len(photos) + 1) / len(photos))
    error = (1 - accuracy) * weights
    best: tuple[float, float, Shares] | None = None
    for exponent in EXPONENTS:  # for a given one the rest is linear, and cannot fail
        table = np.stack([photos**-exponent, np.ones(len(photos))], axis=1) * weights[:, None]
        solution, residual = nnls(table, error)
        if best is None or residual < best[0]:
            best = float(residual), float(exponent), solution
    assert best is not None  # noqa: S101  # there are exponents
    _, exponent, (slope, rest) = best
    return np.asarray(np.clip(1 - rest - slope * ahead**-exponent, 0, 1))


def _points(points: float) -> str:
    return counted(round(points), "point")


def _whole(values: Shares) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _shares(values: Shares) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


def _values(curve: Curve) -> dict[str, Any]:
    gain, low, high = curve.gain
    return {
        "class": curve.name,
        "photos": list(curve.photos),
        "accuracy": list(curve.accuracy),
        "low": list(curve.low),
        "high": list(curve.high),
        "forecast": {
            "photos": list(curve.ahead),
            "accuracy": list(curve.forecast),
            "low": list(curve.forecast_low),
            "high": list(curve.forecast_high),
        },
        "doubling": {"points": gain, "low": low, "high": high},
    }
