"""How a labelling stands after each answer: what is asked next, what is concluded, how good that likely is."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from tl_core.audit.features import FeatureSource
from tl_core.audit.heads import Labels
from tl_core.audit.pointing.chooser import UNKNOWN, Chooser, Estimate
from tl_core.audit.pointing.labelling import Conclusion, Labelling
from tl_core.data.dataset import Dataset
from tl_core.machine.progress import TaskContext


@dataclass(frozen=True, slots=True)
class Standing:
    """What follows from the answers so far."""

    asked: tuple[str, ...]  # ids of the pictures of the next question; none where all have been asked
    suggested: str | None  # the class they likely have
    concluded: dict[str, Conclusion]  # by id, of pictures without an answer; none until two classes have some
    estimate: Estimate | None  # None where too little was said for one


class Pointer:
    """The features of the pictures of one labelling, and what follows from its answers.

    Args:
        labelling: its pictures do not change any more.
        task: gets pictures done and in all; checked for a stop.

    Raises:
        WeightsUnavailableError: the backbone's weights are not here and cannot be downloaded.
        StoppedError: a stop was requested.
    """

    def __init__(self, labelling: Labelling, task: TaskContext) -> None:
        self._rows = {picture.id: row for row, picture in enumerate(labelling.collection.pictures)}
        self._ids = list(self._rows)
        self._chooser = Chooser(FeatureSource(_as_dataset(labelling), task).read())
        self._lock = threading.Lock()
        self._last: tuple[Labelling, Standing] | None = None

    def standing(self, labelling: Labelling) -> Standing:
        """How the labelling stands; takes a fraction of a second, and no time where nothing has changed."""
        with self._lock:
            if self._last is None or self._last[0] != labelling:
                self._last = (labelling, self._work_out(labelling))
            return self._last[1]

    def _work_out(self, labelling: Labelling) -> Standing:
        labels, questions = self._labels(labelling)
        probabilities = self._chooser.conclude(labels, len(labelling.classes))
        closed = [self._rows[name] for name in labelling.skipped]
        question = self._chooser.ask(labels, probabilities, closed, len(labelling.steps))
        estimate, likely = self._chooser.estimate(labels, questions, probabilities, closed)
        told_apart = len(np.unique(labels[labels != UNKNOWN])) > 1  # else all would go to the one class that is known
        concluded = {
            name: Conclusion(labelling.classes[best], float(chance))
            for name, best, chance, label in zip(self._ids, probabilities.argmax(axis=1), likely, labels, strict=True)
            if told_apart and label == UNKNOWN
        }
        return Standing(
            tuple(self._ids[row] for row in question.rows) if question else (),
            labelling.classes[question.suggested] if question and question.suggested is not None else None,
            concluded,
            estimate,
        )

    def _labels(self, labelling: Labelling) -> tuple[Labels, Labels]:
        """The label of each picture, and the number of the answer it came with."""
        labels = np.full(len(self._ids), UNKNOWN, np.int64)
        questions = np.full(len(self._ids), UNKNOWN, np.int64)
        places = {name: place for place, name in enumerate(labelling.classes)}
        for number, step in enumerate(labelling.steps):
            for name in step.pictures if step.label else ():
                labels[self._rows[name]] = places[str(step.label)]
                questions[self._rows[name]] = number
        return labels, questions


def _as_dataset(labelling: Labelling) -> Dataset:
    """The pictures as the images of a dataset of one class, for what works on datasets."""
    collection = labelling.collection
    return Dataset(
        id=collection.id,
        name=labelling.name,
        path=collection.path,
        classes=("",),
        images=tuple(picture.record for picture in collection.pictures),
        skipped=(),
        fingerprint="",
        source="",
        created=collection.created,
        given_splits=False,
    )
