"""Comparing an exported file's predictions of validation images with the dashboard's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from tl_core.export.formats import ExportFormat
from tl_core.storage.format import percent

Probabilities = npt.NDArray[np.float32]
Novelties = npt.NDArray[np.float32]

IMAGES: Final = 32
# Two points of accuracy cannot be measured on 32 images, where a single one is three.
IMAGES_QUANTISED: Final = 200
LARGEST_DIFFERENCE: Final = 1e-3  # in probability
LARGEST_LOSS: Final = 0.02  # of accuracy
LARGEST_NOVELTY_DIFFERENCE: Final = 0.01  # relative
_ROUNDING: Final = 1e-9  # of a difference between two shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The result of comparing an exported file."""

    images: int  # validation images that both predicted
    kinds: int = 0  # further pictures that both predicted, one of each kind of file; before 2 there were none
    max_difference: float  # the largest between two probabilities, 0-1
    accuracy: float  # of the exported file on these images, 0-1
    app_accuracy: float  # of the dashboard's own model on them, 0-1
    novelty_difference: float | None = None  # the largest between two measures of how unlike a picture is, relative
    refuses_noise: bool | None = None  # a picture of noise as unlike anything it was taught; as the dashboard does
    failure: str | None = None  # one sentence, if the export is not good enough

    @property
    def passed(self) -> bool:
        """Whether the export may be offered."""
        return self.failure is None


def images_for(form: ExportFormat) -> int:
    """How many validation images a format predicts, if there are as many."""
    return IMAGES_QUANTISED if form.quantised else IMAGES


def compare_predictions(
    form: ExportFormat, app: Probabilities, export: Probabilities, labels: npt.NDArray[np.int64]
) -> Proof:
    """Decide whether an export is good enough.

    Args:
        form: float32 formats are checked by their probabilities, quantised ones by their accuracy.
        app: the dashboard's probabilities, ``(n, classes)``.
        export: the exported file's probabilities; any shape, if it is wrong.
        labels: the true classes of the first ``(m,)`` pictures; the others have none, as they are of all kinds.
    """
    known = len(labels)
    app_accuracy = float((app[:known].argmax(axis=1) == labels).mean())
    worst = Proof(images=known, kinds=len(app) - known, max_difference=1.0, accuracy=0.0, app_accuracy=app_accuracy)
    if export.shape != app.shape:
        what = f"The file gives {export.shape[-1]} numbers per image and should give {app.shape[-1]}"
        return replace(worst, failure=f"{what}, so it is not offered.")
    if not np.isfinite(export).all():
        return replace(worst, failure="The file gives values that are no numbers, so it is not offered.")
    proof = replace(
        worst,
        max_difference=float(np.abs(app - export).max()),
        accuracy=float((export[:known].argmax(axis=1) == labels).mean()),
    )
    return replace(proof, failure=_failure(form, proof))


def compare_novelty(form: ExportFormat, proof: Proof, app: Novelties, export: Novelties) -> Proof:
    """Decide whether an export refuses what is unlike its images as the dashboard does.

    Args:
        app: the dashboard's measure of the validation images and, last, of a picture of noise; 1 is the limit.
        export: the exported program's.
    """
    difference = float((np.abs(app - export) / np.maximum(app, 1.0)).max())
    compared = replace(proof, novelty_difference=difference, refuses_noise=bool(export[-1] > 1))
    wrong = not np.isfinite(export).all() or (not form.quantised and difference > LARGEST_NOVELTY_DIFFERENCE)
    if proof.failure is None and (wrong or (app[-1] > 1) != compared.refuses_noise):
        return replace(
            compared,
            failure=f"How unlike a picture is to what was taught differs from the dashboard by {difference:.0%}, so "
            "it is not offered.",
        )
    return compared


def _failure(form: ExportFormat, proof: Proof) -> str | None:
    if not form.quantised and proof.max_difference > LARGEST_DIFFERENCE:
        return (
            f"Its probabilities differ from those of the dashboard by up to {proof.max_difference:.2g} on "
            f"{proof.images + proof.kinds} pictures, more than the {LARGEST_DIFFERENCE:g} allowed, so it is not "
            "offered."
        )
    if form.quantised and proof.app_accuracy - proof.accuracy > LARGEST_LOSS + _ROUNDING:
        return (
            f"It gets {percent(proof.accuracy)} of {proof.images} validation images right where the dashboard "
            f"gets {percent(proof.app_accuracy)}, a loss of more than {100 * LARGEST_LOSS:.0f} points, so it is "
            "not offered."
        )
    return None
