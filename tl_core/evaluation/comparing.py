"""Which of two models is better, as far as the same test images can tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tl_core.data.dataset import Dataset
from tl_core.runs import RunRecord
from tl_core.runs.evaluations import read_probabilities
from tl_core.storage.format import count, percent


@dataclass(frozen=True, slots=True)
class Duel:
    """The test images about which one of two models is right and the other is wrong."""

    images: int  # in all
    first: int  # that only the first has right
    second: int

    @property
    def first_is_better(self) -> float:
        """The probability that the first is right more often on images like these, 0-1.

        Images on which both are right, or both wrong, say nothing about that (McNemar, Psychometrika 12, 1947). With
        Jeffreys' prior the share of the others that the first wins has a beta distribution, of which this is the part
        above one half. It holds for any two models, fine-tuned or not, and knows nothing of the luck of a training:
        another one with the same settings comes out a little different.
        """
        from scipy.special import betainc  # 0.2 s, which pages without a comparison do without

        return float(1 - betainc(self.first + 0.5, self.second + 0.5, 0.5))

    def sentence(self, first: str, second: str) -> str:
        """Which is better, and how sure that is.

        Args:
            first: name of the first model.
            second: name of the second one.
        """
        share = self.first_is_better
        better, worse, sure = (first, second, share) if share >= 0.5 else (second, first, 1 - share)
        if self.first == self.second:
            return f"“{first}” and “{second}” have as many of the {count(self.images, 'test image')} right."
        said = "more than 99 %" if sure > 0.99 else percent(sure, 0)
        most, least = max(self.first, self.second), min(self.first, self.second)
        return (
            f"“{better}” is better than “{worse}” with a probability of {said}: of the "
            f"{count(self.images, 'test image')} it alone has {most:,} right, the other alone {least:,}."
        )


def compare_on_test_images(first: RunRecord, second: RunRecord, dataset: Dataset) -> Duel | None:
    """How two runs do on the test images of a dataset; None where one was not measured on them.

    Args:
        dataset: whose test images; both runs were trained on this revision of it.
    """
    right = [_right(run, dataset) for run in (first, second)]
    if right[0] is None or right[1] is None:
        return None
    return Duel(len(right[0]), int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum()))


def _right(run: RunRecord, dataset: Dataset) -> np.ndarray | None:
    places = {name: place for place, name in enumerate(run.classes)}
    labels = np.array([places.get(dataset.classes[record.label], -1) for record in dataset.of_split("test")], int)
    if not len(labels) or run.dataset_fingerprint != dataset.fingerprint or not run.model_sha256:
        return None
    found = read_probabilities(
        run.folder,
        "test",
        (len(labels), len(run.classes)),
        model_sha256=run.model_sha256,
        dataset_fingerprint=dataset.fingerprint,
    )
    return None if found is None else found.argmax(axis=1) == labels
