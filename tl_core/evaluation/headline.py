"""How good a model is in a few numbers and plain sentences, from what was saved when its training ended.

The light part of an evaluation: no package that takes long to import, and no model that has to answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tl_core.data.dataset import Dataset
from tl_core.data.health import nothing_can_be_said
from tl_core.inference.calibration import wilson_interval
from tl_core.runs import RunRecord
from tl_core.runs.evaluations import read_metrics, read_probabilities
from tl_core.storage.format import count, percent

FEW_IMAGES: Final = 50  # with fewer, one image more or less right changes the figure by percents
SPLITS: Final = ("test", "validation")  # the first of them that was measured counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What is said first about a model; shares are 0-1."""

    split: str  # test or validation
    images: int
    right: int
    commonest: str  # the class with the most images ...
    guessing: float  # ... and the share that is right if the answer is always that class
    weakest: str  # the class of which the smallest share is found ...
    found: float  # ... and that share
    validation: float | None = None  # accuracy on validation images, where these are test images
    validation_images: int = 0  # that it was measured on; 0 = not known
    unjudged: tuple[str, ...] = ()  # sentences on the classes that were not measured

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """Between these the accuracy lies with 95 % confidence."""
        return wilson_interval(self.right, self.images)

    @property
    def guesses(self) -> bool:
        """Whether it is no better than always giving the same answer."""
        return self.accuracy <= self.guessing

    @property
    def _falls_behind(self) -> bool:
        """Whether it lies below validation by more than the number of images of both explains."""
        if self.validation is None:
            return False
        low = self.validation
        if self.validation_images:
            low, _ = wilson_interval(round(self.validation * self.validation_images), self.validation_images)
        return self.interval[1] < low

    def sentence(self) -> str:
        """Such as ``96.4 % of the 56 test images are right (validation 94.6 %).``"""
        beside = "" if self.validation is None else f" (validation {percent(self.validation)})"
        return f"{percent(self.accuracy)} of the {count(self.images, f'{self.split} image')} are right{beside}."

    def baseline(self) -> str:
        """What guessing would reach, and the weakest class where not all of every class is found."""
        guessing = f"Always answering “{self.commonest}” would be right for {percent(self.guessing)}."
        if self.found == 1:
            return guessing
        return f"{guessing} Weakest class: {self.weakest}, {percent(self.found)} found."

    def warnings(self) -> Iterator[str]:
        """What should keep somebody from trusting the figure, worst first."""
        low, high = self.interval
        if self.guesses:
            yield "No better than guessing: the model has not learned to tell these classes apart."
        elif low <= self.guessing:
            yield f"Hardly better than guessing, as far as {count(self.images, 'image')} can tell."
        yield from self.unjudged
        if self._falls_behind:
            yield (
                "Far below validation: the test images seem to be of another kind than the others, or validation "
                "images look like training images. Look at the mistakes on the Evaluate page."
            )
        if self.images < FEW_IMAGES:
            between = f"{percent(low, 0)} to {percent(high, 0)}"
            yield f"Only {count(self.images, 'image')}: the true figure may be anywhere from {between}."


def headline(run: RunRecord, dataset: Dataset) -> Headline | None:
    """The numbers of a run that has ended; None where its model has not been measured."""
    for split in SPLITS:
        if found := _measured(run, dataset, split):
            return found
    return None


def _measured(run: RunRecord, dataset: Dataset, split: str) -> Headline | None:
    places = {name: place for place, name in enumerate(run.classes)}
    labels = np.array([places.get(dataset.classes[record.label], -1) for record in dataset.of_split(split)], int)
    if not len(labels) or labels.min() < 0 or run.model_sha256 is None:
        return None
    probabilities = read_probabilities(
        run.folder,
        split,
        (len(labels), len(run.classes)),
        model_sha256=run.model_sha256,
        dataset_fingerprint=dataset.fingerprint,
    )
    if probabilities is None:
        return None
    correct = probabilities.argmax(axis=1) == labels
    of_class = np.bincount(labels, minlength=len(places))
    found = np.bincount(labels[correct], minlength=len(places))
    shares = np.where(of_class > 0, found / np.maximum(1, of_class), np.inf)
    commonest, weakest = int(of_class.argmax()), int(shares.argmin())
    return Headline(
        split=split,
        images=len(labels),
        right=int(correct.sum()),
        commonest=run.classes[commonest],
        guessing=float(of_class[commonest] / len(labels)),
        weakest=run.classes[weakest],
        found=float(shares[weakest]),
        validation=_validation_accuracy(run) if split == "test" else None,
        validation_images=len(dataset.of_split("validation")),
        unjudged=tuple(said for part in SPLITS if (said := nothing_can_be_said(dataset, part))),
    )


def _validation_accuracy(run: RunRecord) -> float | None:
    measured: float | None = read_metrics(run).get("validation", {}).get("accuracy")
    if measured is None and run.best:
        return run.best.val_accuracy
    return measured
