"""What mended labels have gained: heads that learned from the old labels against heads that learned from the new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tl_core.audit.features import FeatureSource
from tl_core.audit.label_court import judge_labels
from tl_core.data.dataset import Dataset
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.format import count, percent

NEXT_TO_NOTHING: Final = 0.001  # a difference of accuracy that is not worth a word


@dataclass(frozen=True, slots=True)
class Repair:
    """Cross-validated accuracy before and after; shares 0-1."""

    changed: int  # images that were relabelled, added or taken out
    before: float  # of all images, by the labels they had
    after: float  # of all images, by the labels they have
    untouched_before: float  # of the images that nobody changed: mending has not made these right by definition
    untouched_after: float

    @property
    def text(self) -> str:
        """What it comes to, in two sentences."""
        images = count(self.changed, "image was", "images were")
        first = (
            f"{images} changed. Models that have not seen a picture now get {percent(self.after)} right, before "
            f"{percent(self.before)}."
        )
        difference = self.untouched_after - self.untouched_before
        if abs(difference) < NEXT_TO_NOTHING:
            return f"{first} Among the pictures that were left alone nothing has changed."
        return (
            f"{first} Among the pictures that were left alone it is {percent(self.untouched_after)}, before "
            f"{percent(self.untouched_before)}: that is what the models have learned "
            + ("better." if difference > 0 else "worse.")
        )


def measure_repair(before: Dataset, after: Dataset, task: TaskContext = UNATTENDED) -> Repair:
    """Compare two revisions of a dataset.

    Args:
        task: gets the progress; checked for a stop.

    Raises:
        WeightsUnavailableError: the default backbone's weights are not here and cannot be downloaded.
        StoppedError: a stop was requested.
    """
    old, new = _hits(before, task.part(0.0, 0.5)), _hits(after, task.part(0.5, 1.0))
    left_alone = sorted(old.keys() & new.keys())
    return Repair(
        changed=len({pixels for pixels, _ in old.keys() ^ new.keys()}),
        before=float(np.mean(list(old.values()))),
        after=float(np.mean(list(new.values()))),
        untouched_before=float(np.mean([old[image] for image in left_alone])) if left_alone else 0.0,
        untouched_after=float(np.mean([new[image] for image in left_alone])) if left_alone else 0.0,
    )


def _hits(dataset: Dataset, task: TaskContext) -> dict[tuple[str, str], bool]:
    """Whether heads that have not seen an image agree with its label; by its pixels and the name of its class."""
    features = FeatureSource(dataset, task.part(0.0, 0.6)).read()
    answers = judge_labels(dataset, features, task.part(0.6, 1.0)).probabilities.argmax(axis=1)
    return {
        (record.pixels_sha256, dataset.classes[record.label]): bool(answer == record.label)
        for record, answer in zip(dataset.images, answers, strict=True)
    }
