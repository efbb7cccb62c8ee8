"""What should not matter, and tells the classes apart all the same.

Heads are trained on parts of the images that do not show the object, and on plain numbers. Where they do far better
than chance, a model can learn these in place of the object. A texture fills the whole picture; there the border shows
the object, which a head that learned from the middle recognises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from tl_core.audit.features import Features, FeatureSource, Rows
from tl_core.audit.heads import STRENGTH, Labels, compact, out_of_fold
from tl_core.data.dataset import Dataset
from tl_core.data.split import groups_of_images
from tl_core.features.images import ImageRows
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.format import percent

MAX_IMAGES: Final = 600  # that are looked at once more; more would only narrow the range
BLURRED: Final = 16  # pixels
DETAILED: Final = 64  # pixels of the smaller side; blurring takes nothing from smaller pictures
SHARE: Final = 0.6  # of what whole images give above chance, from which on it is said
LEAST: Final = 0.15  # above chance, from which on it is said
LUCK: Final = 3.5  # standard deviations of guessing, which few images exceed by chance
SAME_THING: Final = 0.75  # of what a head gives in the corners that one of the middle gives there, too


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Something that should not matter and tells the classes apart."""

    kind: str  # border, centre_masked, blurred, size_and_brightness
    accuracy: float  # 0-1, out of fold, of heads that see nothing else
    chance: float  # 0-1: the largest class's share

    @property
    def text(self) -> str:
        """One sentence for people."""
        told = f"{percent(self.accuracy, 0)} of the images, where guessing gives {percent(self.chance, 0)}"
        return f"{_SENTENCES[self.kind]} the class of {told}: a model may learn that, not the object."


_SENTENCES: Final = {
    "border": "The border alone tells",
    "centre_masked": "What surrounds the middle alone tells",
    "blurred": f"A blur of {BLURRED} × {BLURRED} pixels alone tells",
    "size_and_brightness": "Size and brightness alone tell",
}


LOOKING: Final = "Looking for shortcuts"


def find_shortcuts(dataset: Dataset, source: FeatureSource, task: TaskContext = UNATTENDED) -> tuple[Shortcut, ...]:
    """The shortcuts that a model could take on this dataset; the easiest first.

    Args:
        source: of the dataset's features.
        task: gets the kinds looked for and their number; checked for a stop.

    Raises:
        StoppedError: a stop was requested.
    """
    task.report(0, len(_VALUES), LOOKING)
    labels = np.array([record.label for record in dataset.images], np.int64)
    rows = _sample(labels)
    chance = float(np.bincount(labels[rows]).max() / len(rows))

    groups = groups_of_images([dataset.images[row] for row in rows])

    def accuracy(values: Features) -> float:
        verdict = out_of_fold(values, labels[rows], groups, repeats=1, task=task.without_progress())
        return float(np.mean(verdict.argmax(axis=1) == labels[rows]))

    whole = accuracy(source.read(rows))
    luck = LUCK * math.sqrt(chance * (1 - chance) / len(rows))
    wanted = chance + max(LEAST, luck, SHARE * (whole - chance))
    texture = _is_texture(source, rows, labels[rows])
    found = []
    for done, (kind, values_of) in enumerate(_VALUES.items()):
        task.stop_if_asked("The audit was stopped.")
        task.report(done, len(_VALUES), LOOKING)
        if kind in _SURROUNDINGS and texture:
            continue
        if (values := values_of(dataset, source, rows)) is None:
            continue
        reached = _forest(values, labels[rows]) if kind == "size_and_brightness" else accuracy(values)
        if reached >= wanted:
            found.append(Shortcut(kind, round(reached, 4), round(chance, 4)))
    return tuple(sorted(found, key=lambda shortcut: -shortcut.accuracy))


def _sample(labels: Labels) -> Rows:
    """At most 600 images, of every class in its share."""
    order = np.argsort(labels, kind="stable")
    step = max(1.0, len(order) / MAX_IMAGES)
    return np.sort(order[np.arange(0, len(order), step).astype(np.int64)])


def _is_texture(source: FeatureSource, rows: Rows, labels: Labels) -> bool:
    """Whether the corners show what the middle shows."""
    both = compact(np.concatenate([source.read(rows, "centre"), source.read(rows, "corners")]))
    middle, outside = both[: len(rows)], both[len(rows) :]
    even = np.arange(len(rows)) % 2 == 0
    if len(np.unique(labels[even])) < 2:
        return False
    scores = []
    for learned in (middle, outside):
        head = LogisticRegression(C=STRENGTH, max_iter=200).fit(learned[even], labels[even])
        scores.append(head.score(outside[~even], labels[~even]))
    return bool(scores[0] >= SAME_THING * scores[1])


def _blurred(dataset: Dataset, source: FeatureSource, rows: Rows) -> Features | None:
    sides = [min(dataset.images[row].width, dataset.images[row].height) for row in rows]
    if np.median(sides) < DETAILED:
        return None
    return _small(source.images, rows, BLURRED).reshape(len(rows), -1)


def _size_and_brightness(dataset: Dataset, source: FeatureSource, rows: Rows) -> Features:
    sizes = [(dataset.images[row].width, dataset.images[row].height) for row in rows]
    grey = _small(source.images, rows, BLURRED).mean(axis=3).reshape(len(rows), -1)
    table = [
        (w, h, w / h, level, spread) for (w, h), level, spread in zip(sizes, grey.mean(1), grey.std(1), strict=True)
    ]
    return np.array(table, np.float32)


def _forest(values: Features, labels: Labels) -> float:
    """Out-of-bag accuracy of a forest, which asks of each number whether it is above or below something."""
    forest = RandomForestClassifier(200, oob_score=True, min_samples_leaf=2, random_state=0, n_jobs=1)
    return float(forest.fit(values, labels).oob_score_)


def _small(images: ImageRows, rows: Rows, side: int) -> npt.NDArray[np.float32]:
    """Images averaged down to ``side`` pixels, ``(images, side, side, 3)``."""
    pieces = []
    for start in range(0, len(rows), 64):
        batch = images.read(rows[start : start + 64]).astype(np.float32)
        edges = (np.arange(side) * batch.shape[1]) // side
        lengths = np.diff(np.append(edges, batch.shape[1]))
        summed = np.add.reduceat(np.add.reduceat(batch, edges, axis=1), edges, axis=2)
        pieces.append(summed / (lengths[:, None] * lengths[None, :])[None, :, :, None])
    return np.concatenate(pieces)


_VALUES: Final[Mapping[str, Callable[[Dataset, FeatureSource, Rows], Any]]] = {
    "border": lambda _, source, rows: source.read(rows, "corners"),
    "centre_masked": lambda _, source, rows: source.read(rows, "centre_masked"),
    "blurred": _blurred,
    "size_and_brightness": _size_and_brightness,
}
_SURROUNDINGS: Final = frozenset({"border", "centre_masked"})
