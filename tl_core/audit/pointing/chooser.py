"""What is asked next, and what can be concluded, when a few of many pictures have a label.

Two views of the same frozen features are multiplied: a logistic-regression head, and labels spread over the graph of
nearest neighbours (Zhou et al.: Learning with Local and Global Consistency, NIPS 2003), which is the better one as
long as few are labelled. Asked is in turn a group, which takes one answer for all, and the picture that is the least
sure and the most unlike those asked before (uncertainty with diversity: Settles, Active Learning Literature Survey,
2009, sections 3.1 and 5.5).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from tl_core.audit.features import Features
from tl_core.audit.heads import Labels, Probabilities, compact

Rows = npt.NDArray[np.int64]

UNKNOWN: Final = -1  # the label of a picture that has none
NEIGHBOURS: Final = 10
SPREAD: Final = 0.9  # share of a picture's label that comes from its neighbours
ROUNDS: Final = 25  # of spreading; more change nothing
STRENGTH: Final = 10.0  # of the head: inverse of its L2 penalty
FEW: Final = 100  # clicked pictures; with more the neighbours count for less than the head
GROUP: Final = 12  # pictures of one question at most
LEAST_GROUP: Final = 4
GROUP_EVERY: Final = 4  # questions; one about a single doubtful picture teaches more than one about a group (tried)
SURE: Final = 0.6  # from here on a picture may be asked about in a group
DIVERSITY: Final = 0.2  # the smaller, the more it counts that a picture is unlike those that are labelled
FOLDS: Final = 5
DRAWS: Final = 100  # of the answers, for the range of the estimate
MIN_ANSWERS: Final = 12  # for an estimate
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Question:
    """Pictures that are likely of one class, by row, most typical first; or one picture alone."""

    rows: tuple[int, ...]
    suggested: int | None  # label; None where nothing is known yet


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many of all labels are right, those clicked included, if all conclusions are taken."""

    accuracy: float  # 0-1
    low: float  # in 90 % of repetitions it is between these
    high: float
    clicks_left: Mapping[float, int]  # accuracy -> clicks that are certainly enough for it


class Chooser:
    """Knows the features of all pictures, and nothing of their labels.

    Args:
        features: ``(pictures, values)``.
    """

    def __init__(self, features: Features) -> None:
        with threadpool_limits(1):
            self._values = compact(features)
            lengths = np.linalg.norm(self._values, axis=1, keepdims=True)
            self._directions = self._values / np.maximum(lengths, _TINY)
            self._graph = _graph(self._directions)
            self._clusters = _clusters(self._directions)

    def conclude(self, labels: Labels, classes: int) -> Probabilities:
        """Class probabilities of every picture, ``(pictures, classes)``.

        Args:
            labels: ``(pictures,)``, `UNKNOWN` where none was said.
        """
        known = labels != UNKNOWN
        if not known.any():
            return np.full((len(labels), classes), 1 / classes)
        with threadpool_limits(1):
            trust = 0.5 * min(1.0, FEW / int(known.sum()))
            both = self._head(labels, known, classes) * self._spread(labels, known, classes) ** trust + _TINY
        return np.asarray(both / both.sum(axis=1, keepdims=True))

    def _head(self, labels: Labels, known: npt.NDArray[np.bool_], classes: int) -> Probabilities:
        found = np.full((len(labels), classes), 1e-4)
        if len(np.unique(labels[known])) < 2:
            return np.full((len(labels), classes), 1 / classes)
        head = LogisticRegression(C=STRENGTH, max_iter=100).fit(self._values[known], labels[known])
        found[:, head.classes_] = head.predict_proba(self._values)
        return found

    def _spread(self, labels: Labels, known: npt.NDArray[np.bool_], classes: int) -> Probabilities:
        start = np.zeros((len(labels), classes))
        start[known, labels[known]] = 1
        start /= np.maximum(start.sum(axis=0), 1)  # a class that was clicked more often is no larger for that
        spread = start
        for _ in range(ROUNDS):
            spread = SPREAD * (self._graph @ spread) + (1 - SPREAD) * start
        spread = spread + _TINY
        return np.asarray(spread / spread.sum(axis=1, keepdims=True))

    def ask(
        self, labels: Labels, probabilities: Probabilities, closed: Collection[int], asked: int
    ) -> Question | None:
        """What is asked next; None where every picture has a label or was skipped.

        Args:
            probabilities: of `conclude`.
            closed: rows of pictures that were skipped.
            asked: how many questions there were.
        """
        is_open = labels == UNKNOWN
        is_open[list(closed)] = False
        rows = np.flatnonzero(is_open)
        if not len(rows):
            return None
        if not (labels != UNKNOWN).any() or asked < 1:
            return Question(self._first_group(is_open), None)
        if asked % GROUP_EVERY == 0 and (group := self._group(is_open, probabilities)) is not None:
            return group
        row = self._most_telling(rows, labels, probabilities)
        return Question((int(row),), int(probabilities[row].argmax()))

    def _first_group(self, is_open: npt.NDArray[np.bool_]) -> tuple[int, ...]:
        """The tightest of the larger clusters: whatever it is, it is likely one thing."""
        best: tuple[int, ...] = (int(np.flatnonzero(is_open)[0]),)
        closest = -1.0
        for cluster in range(int(self._clusters.max()) + 1):
            rows = np.flatnonzero((self._clusters == cluster) & is_open)
            if len(rows) < LEAST_GROUP:
                continue
            centre = self._directions[rows].mean(axis=0)
            order = np.argsort(-(self._directions[rows] @ centre))[:GROUP]
            if (alike := float(np.linalg.norm(self._directions[rows[order]].mean(axis=0)))) > closest:
                best, closest = tuple(int(row) for row in rows[order]), alike
        return best

    def _group(self, is_open: npt.NDArray[np.bool_], probabilities: Probabilities) -> Question | None:
        """Pictures of one cluster that are likely of one class; those of which one answer takes the most doubt."""
        sure, likely = probabilities.max(axis=1), probabilities.argmax(axis=1)
        best, most = None, 0.0
        for cluster in range(int(self._clusters.max()) + 1):
            rows = np.flatnonzero((self._clusters == cluster) & is_open & (sure >= SURE))
            if len(rows) < LEAST_GROUP:
                continue
            label = int(np.bincount(likely[rows]).argmax())
            rows = rows[likely[rows] == label][:GROUP]
            if len(rows) >= LEAST_GROUP and (doubt := float((1 - sure[rows]).sum())) > most:
                order = rows[np.argsort(-sure[rows])]
                best, most = Question(tuple(int(row) for row in order), label), doubt
        return best

    def _telling(self, rows: Rows, labels: Labels, probabilities: Probabilities) -> npt.NDArray[np.float64]:
        """How much an answer about each of these would tell: unsure, far from what is labelled, near many others."""
        ranked = np.sort(probabilities[rows], axis=1)
        unsure = 1 - (ranked[:, -1] - ranked[:, -2])
        known = np.flatnonzero(labels != UNKNOWN)
        far = 1 - (self._directions[rows] @ self._directions[known].T).max(axis=1)
        return np.asarray(unsure * (DIVERSITY + far))

    def _most_telling(self, rows: Rows, labels: Labels, probabilities: Probabilities) -> int:
        return int(rows[self._telling(rows, labels, probabilities).argmax()])

    def estimate(
        self, labels: Labels, answers: Labels, probabilities: Probabilities, closed: Collection[int]
    ) -> tuple[Estimate | None, npt.NDArray[np.float64]]:
        """How many labels are right, and how likely each conclusion is, ``(pictures,)``, 0-1.

        The clicked pictures are no random choice, so their own share of right conclusions says little. It is learned
        from them how often a conclusion of some certainty is right, each judged without its own answer, and all other
        pictures are weighed with that; the range is that of answers drawn anew (bootstrap).

        Args:
            labels: as for `conclude`.
            answers: ``(pictures,)``, the number of the answer that a label came with; those of one are kept together.
            probabilities: of `conclude`.
            closed: rows of pictures that were skipped.
        """
        sure = probabilities.max(axis=1)
        known = np.flatnonzero(labels != UNKNOWN)
        numbers = np.unique(answers[known])
        if len(numbers) < MIN_ANSWERS or len(np.unique(labels[known])) < 2:
            return None, sure
        classes = probabilities.shape[1]
        folds = dict(zip(numbers.tolist(), np.random.default_rng(0).permutation(len(numbers)) % FOLDS, strict=True))
        fold = np.array([folds[int(number)] for number in answers[known]])
        right, seen = np.zeros(len(known)), np.zeros(len(known))
        for place in range(FOLDS):
            held = known[fold == place]
            others = labels.copy()
            others[held] = UNKNOWN
            found = self.conclude(others, classes)[held]
            seen[fold == place] = found.max(axis=1)
            right[fold == place] = found.argmax(axis=1) == labels[held]
        counted = np.setdiff1d(np.flatnonzero(labels == UNKNOWN), np.array(list(closed), np.int64))
        sizes = np.bincount(answers[known] - numbers.min())[answers[known] - numbers.min()]
        weight = 1 / sizes  # each answer counts once: groups are of the easier pictures
        trust = _trust(seen, right, weight)
        likely = _applied(trust, sure)
        total = len(known) + len(counted)
        rng, drawn = np.random.default_rng(1), []
        rows_of = [np.flatnonzero(answers[known] == number) for number in numbers]
        for _ in range(DRAWS):
            rows = np.concatenate([rows_of[place] for place in rng.integers(len(rows_of), size=len(rows_of))])
            drawn.append(len(known) + _applied(_trust(seen[rows], right[rows], weight[rows]), sure[counted]).sum())
        low, high = np.quantile(np.array(drawn) / total, (0.05, 0.95))
        accuracy = float((len(known) + likely[counted].sum()) / total)
        left = _clicks_left(1 - likely[counted], total)
        return Estimate(accuracy, min(float(low), accuracy), max(float(high), accuracy), left), likely


TARGETS: Final = (0.9, 0.95, 0.98)


def _clicks_left(wrong: npt.NDArray[np.float64], total: int) -> dict[float, int]:
    """Clicks that are enough if each does no more than to label one picture, the most doubtful first."""
    rest = wrong.sum() - np.concatenate([[0.0], np.cumsum(np.sort(wrong)[::-1])])
    return {target: int(np.argmax(rest <= (1 - target) * total + _TINY)) for target in TARGETS}


def _trust(
    sure: npt.NDArray[np.float64], right: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Platt's two numbers, by which certainty becomes the chance to be right; near 0 and 1 where little is known."""
    odds = _odds(sure)
    found = np.array([0.0, 1.0])
    design = np.stack([np.ones_like(odds), odds], axis=1)
    for _ in range(12):
        chance = expit(design @ found)
        slope = design.T @ (weight * (right - chance)) - (found - np.array([0.0, 1.0]))
        bend = design.T @ (design * (weight * chance * (1 - chance))[:, None]) + np.eye(2)
        found = found + np.clip(np.linalg.solve(bend, slope), -0.5, 0.5)  # a full step may go too far
    return float(found[0]), max(0.0, float(found[1]))


def _applied(trust: tuple[float, float], sure: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(expit(trust[0] + trust[1] * _odds(sure)))


def _odds(sure: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    held = np.clip(sure, 0.01, 0.999)
    return np.asarray(np.log(held / (1 - held)))


def _graph(directions: Features) -> Any:
    """The graph of nearest neighbours, along which labels spread."""
    many = min(NEIGHBOURS, len(directions) - 1)
    distances, near = NearestNeighbors(n_neighbors=many + 1, algorithm="brute").fit(directions).kneighbors(directions)
    distances, near = distances[:, 1:], near[:, 1:]
    weights = np.exp(-((distances / max(float(distances[:, -1].mean()), _TINY)) ** 2))
    rows = np.repeat(np.arange(len(directions)), many)
    one_way = sparse.csr_matrix((weights.ravel(), (rows, near.ravel())), shape=(len(directions),) * 2)
    both = one_way.maximum(one_way.T)
    scale = sparse.diags(1 / np.sqrt(np.maximum(np.asarray(both.sum(axis=1)).ravel(), _TINY)))
    return (scale @ both @ scale).tocsr()


def _clusters(directions: Features) -> Labels:
    many = max(1, min(len(directions) // GROUP, 200))
    found = MiniBatchKMeans(many, random_state=0, n_init=1, batch_size=1024).fit_predict(directions)
    return np.asarray(found, np.int64)
