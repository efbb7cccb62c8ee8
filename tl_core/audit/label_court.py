"""Which labels are likely wrong: confident learning on out-of-fold probabilities.

Northcutt, Jiang, Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70 (2021),
https://arxiv.org/abs/1911.00068. An image counts as one of another class if the heads give that class at least as
much as they give it, on average, to the images that carry its label; ranked by the margin between the label and the
likeliest other class. The heads are weak on purpose, so that they do not learn wrong labels by heart; a second round
without the first one's suspects found fewer of them (tried on surfaces and digits).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.audit.features import BACKBONE, Features, fit_of
from tl_core.audit.heads import COMPONENTS, FOLDS, REPEATS, STRENGTH, Labels, Probabilities, out_of_fold
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.data.split import groups_of_images
from tl_core.features.cache import ArraySpec, open_cache
from tl_core.features.images import fit_in_key
from tl_core.machine.progress import UNATTENDED, TaskContext

KIND: Final = "court"  # of cache entries
SHOWN_WITH_WITNESSES: Final = 300  # suspects
WITNESSES: Final = 4  # of each


@dataclass(frozen=True, slots=True)
class LabelSuspect:
    """An image whose label the others of its class speak against."""

    record: ImageRecord
    label: str
    suggested: str
    score: float  # 0-1: 0.5 where label and suggestion are as likely, 1 where the label is impossible


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of the court."""

    suspects: tuple[LabelSuspect, ...]  # most likely wrong first
    probabilities: Probabilities  # (images, classes), out of fold
    accuracy: float  # share of images whose label the heads agree with


def judge_labels(
    dataset: Dataset,
    features: Features,
    task: TaskContext = UNATTENDED,
    alike: Iterable[tuple[ImageRecord, ImageRecord]] = (),
) -> Verdict:
    """Find the labels, of every split, that are likely wrong.

    Copies, look-alikes and frames of one recording are judged by heads that have seen none of them: a wrong label
    that they share would otherwise vouch for itself.

    Args:
        features: of all images of the dataset, in its order.
        task: checked for a stop.
        alike: pairs that show the same, besides those that the hashes of the images tell.

    Raises:
        StoppedError: a stop was requested.
    """
    labels = np.array([record.label for record in dataset.images], np.int64)
    groups = groups_of_images(dataset.images, alike)
    probabilities = _probabilities(dataset, features, labels, groups, task)
    margin, other = _margins(probabilities, labels)
    accused = np.flatnonzero((margin < 0) | _confidently_other(probabilities, labels))
    order = accused[np.argsort(margin[accused], kind="stable")]
    suspects = tuple(
        LabelSuspect(
            dataset.images[row],
            dataset.classes[labels[row]],
            dataset.classes[other[row]],
            round(float((1 - margin[row]) / 2), 4),
        )
        for row in order
    )
    return Verdict(suspects, probabilities, float(np.mean(probabilities.argmax(axis=1) == labels)))


def find_witnesses(
    dataset: Dataset, features: Features, suspects: Sequence[LabelSuspect]
) -> dict[ImageRecord, tuple[ImageRecord, ...]]:
    """For each of the first suspects the other images most like it: what a person wants to see beside it."""
    directions = features - features.mean(axis=0)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
    row_of = {record: row for row, record in enumerate(dataset.images)}
    found = {}
    for suspect in suspects[:SHOWN_WITH_WITNESSES]:
        row = row_of[suspect.record]
        alike = directions @ directions[row]
        alike[row] = -2
        nearest = np.argsort(-alike, kind="stable")[:WITNESSES]
        found[suspect.record] = tuple(dataset.images[other] for other in nearest if other != row)
    return found


def _probabilities(
    dataset: Dataset, features: Features, labels: Labels, groups: Sequence[str], task: TaskContext
) -> Probabilities:
    """Out-of-fold verdicts, kept on the disk for these pixels with these labels; splits have no part in them."""
    named = "\n".join(
        f"{record.pixels_sha256} {label} {group}"
        for record, label, group in zip(dataset.images, labels, groups, strict=True)
    )
    key = {
        "backbone": BACKBONE,
        "labels": hashlib.sha256(named.encode()).hexdigest(),
        "heads": [FOLDS, REPEATS, COMPONENTS, STRENGTH],
        **fit_in_key(fit_of(dataset)),
    }
    spec = ArraySpec((len(labels), int(labels.max()) + 1), "float64")

    def fill(arrays: Sequence[npt.NDArray[Any]]) -> None:
        arrays[0][:] = out_of_fold(features, labels, groups, task=task)

    if found := open_cache(dataset.workspace).get_or_make(KIND, key, [spec], fill):
        return np.array(found[0])
    return out_of_fold(features, labels, groups, task=task)


def _margins(probabilities: Probabilities, labels: Labels) -> tuple[npt.NDArray[np.float64], Labels]:
    """What the label has more than the likeliest other class, -1 to 1, and that class."""
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -1
    other = others.argmax(axis=1)
    return probabilities[rows, labels] - probabilities[rows, other], other


def _confidently_other(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.bool_]:
    """Off the diagonal of the confident joint."""
    classes = probabilities.shape[1]
    usual = np.array([probabilities[labels == label, label].mean() for label in range(classes)])
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    best = confident.argmax(axis=1)
    return np.asarray((confident.max(axis=1) > 0) & (best != labels))
