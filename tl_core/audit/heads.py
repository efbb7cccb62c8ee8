"""Out-of-fold verdicts: each image judged by logistic-regression heads that have not learned from it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from tl_core.audit.features import STOPPED, Features
from tl_core.machine.progress import UNATTENDED, TaskContext

Probabilities = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

FOLDS: Final = 5
COMPONENTS: Final = 128  # principal components that are kept; more make a head slower, not better
STRENGTH: Final = 0.1  # inverse of the L2 penalty; a weak head does not learn wrong labels by heart
MANY: Final = 4000  # images; from here on one division into folds is enough
REPEATS: Final = 3  # divisions into folds otherwise


def out_of_fold(
    features: Features,
    labels: Labels,
    groups: Sequence[str],
    *,
    repeats: int | None = None,
    task: TaskContext = UNATTENDED,
) -> Probabilities:
    """Class probabilities of every image from heads trained on other images, the mean over several divisions.

    Args:
        features: ``(images, values)``.
        labels: ``(images,)``, from 0; every class has an image.
        groups: images of one group are never on both sides.
        repeats: divisions into folds; None = 3, or 1 for many images.
        task: checked for a stop between heads.

    Returns:
        ``(images, classes)``; each row sums to 1.
    """
    with side_by_side() as pool:
        values, classes = compact(features), int(labels.max()) + 1
        repeats = repeats or (1 if len(labels) > MANY else REPEATS)
        divisions = [folds_of(labels, groups, np.random.default_rng(repeat)) for repeat in range(repeats)]
        total = np.zeros((len(labels), classes))

        def judge(number: int) -> tuple[npt.NDArray[np.bool_], Probabilities] | None:
            task.stop_if_asked(STOPPED)
            outside = divisions[number // FOLDS] == number % FOLDS
            if not outside.any():
                return None
            return outside, predict_held_out(values[~outside], labels[~outside], values[outside], classes)

        for number, verdict in enumerate(pool.map(judge, range(repeats * FOLDS))):
            task.report(number + 1, repeats * FOLDS, "Checking each label with models that have not seen the picture")
            if verdict is not None:
                total[verdict[0]] += verdict[1]
        return total / repeats


@contextlib.contextmanager
def side_by_side() -> Iterator[ThreadPoolExecutor]:
    """A pool in which heads are trained, one per core.

    The matrices are small: two threads take ten times the time of one for the same product (tried).
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        with threadpool_limits(1):
            yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def compact(features: Features) -> Features:
    """Standardised values, as their principal components."""
    with threadpool_limits(1):
        return _compact(features)


def _compact(features: Features) -> Features:
    scaled = StandardScaler().fit_transform(features)
    components = min(COMPONENTS, *scaled.shape)
    if components == scaled.shape[1]:
        return np.asarray(scaled, np.float32)
    reduced = PCA(components, svd_solver="randomized", random_state=0, whiten=False).fit_transform(scaled)
    return np.asarray(reduced / max(float(reduced[:, 0].std()), 1e-6), np.float32)


def predict_held_out(values: Features, labels: Labels, asked: Features, classes: int) -> Probabilities:
    """Class probabilities of images from a head that has learned from others, ``(images, classes)``."""
    found = np.zeros((len(asked), classes))
    known = np.unique(labels)
    if len(known) == 1:
        found[:, known[0]] = 1.0
        return found
    head = LogisticRegression(C=STRENGTH, max_iter=200).fit(values, labels)
    found[:, head.classes_] = head.predict_proba(asked)
    return found


def folds_of(labels: Labels, groups: Sequence[str], rng: np.random.Generator) -> Labels:
    """The fold of each image, 0-4: within each class at random, whole groups together."""
    first: dict[str, int] = {}
    for row, group in enumerate(groups):
        first.setdefault(group, row)
    fold_of: dict[str, int] = {}
    for label in range(int(labels.max()) + 1):
        own = [group for group, row in first.items() if labels[row] == label]
        start = int(rng.integers(FOLDS))
        for place, index in enumerate(rng.permutation(len(own))):
            fold_of[own[index]] = (start + place) % FOLDS
    return np.array([fold_of[group] for group in groups], np.int64)
