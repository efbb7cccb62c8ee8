"""How many clicks label the handwritten digits: a person who knows them is asked what *Label by pointing* asks.

``python -m benchmarks.pointing`` prints the share of all labels that are right, clicked and concluded.
A press of a picture that does not belong to its group is a click, as is naming the class of the others.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tl_core.audit.features import Features, FeatureSource
from tl_core.audit.heads import Labels
from tl_core.audit.pointing.chooser import UNKNOWN, Chooser, Estimate
from tl_core.data import import_sample
from tl_core.machine.progress import UNATTENDED
from tl_core.storage.workspace import Workspace

TARGET: Final = 0.93  # of all labels
CLICKS: Final = 300


@dataclass(frozen=True, slots=True)
class Stand:
    """After an answer."""

    clicks: int
    labelled: int  # by hand
    right: float  # share of all labels, 0-1
    estimate: Estimate | None
    seconds: float  # of the processor, for all that an answer sets off


def point_out(features: Features, truth: Labels, clicks: int = CLICKS, every: int = 1) -> Iterator[Stand]:
    """Answer all questions truly until so many clicks are spent; gives how it stands after every so many answers."""
    chooser, classes = Chooser(features), int(truth.max()) + 1
    labels, answers = np.full(len(truth), UNKNOWN, np.int64), np.full(len(truth), UNKNOWN, np.int64)
    spent, asked = 0, 0
    probabilities = chooser.conclude(labels, classes)
    while spent < clicks and (question := chooser.ask(labels, probabilities, (), asked)):
        rows = np.array(question.rows)
        label = int(np.bincount(truth[rows]).argmax())
        belong = rows[truth[rows] == label]
        spent += 1 + len(rows) - len(belong)
        labels[belong], answers[belong] = label, asked
        asked += 1
        start = time.process_time()
        probabilities = chooser.conclude(labels, classes)
        if asked % every and spent < clicks:
            continue
        chooser.ask(labels, probabilities, (), asked)
        estimate, _ = chooser.estimate(labels, answers, probabilities, ())
        taken = time.process_time() - start
        concluded = np.where(labels == UNKNOWN, probabilities.argmax(axis=1), labels)
        known = int((labels != UNKNOWN).sum())
        yield Stand(spent, known, float((concluded == truth).mean()), estimate, taken)


def clicks_to(stands: list[Stand], target: float = TARGET) -> int | None:
    """The clicks after which the share of right labels stays at the target or above; None where it never does."""
    below = [place for place, stand in enumerate(stands) if stand.right < target]
    after = below[-1] + 1 if below else 0
    return stands[after].clicks if after < len(stands) else None


def main() -> None:
    """Measure on scikit-learn's digits, through the backbone that the app uses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, help="a .npy of features, and beside it one of labels, instead")
    options = parser.parse_args()
    if options.features:
        features, truth = np.load(options.features), np.load(options.features.with_suffix(".labels.npy"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            dataset = import_sample(Workspace(Path(folder)).ensure(), "digits", UNATTENDED)
            features = FeatureSource(dataset, UNATTENDED).read()
            truth = np.array([record.label for record in dataset.images], np.int64)
    stands = list(point_out(features, truth))
    for place in range(19, len(stands), 20):
        print(_line(stands[place]))
    print(_line(stands[-1]))
    slowest = max(stand.seconds for stand in stands)
    print(f"{TARGET:.0%} right from {clicks_to(stands)} clicks on; slowest answer {slowest:.2f} s")


def _line(stand: Stand) -> str:
    found = stand.estimate
    said = f"estimated {found.accuracy:.1%} ({found.low:.1%} to {found.high:.1%})" if found else "no estimate yet"
    so_far = f"{stand.clicks:4} clicks, {stand.labelled:4} labelled: {stand.right:.1%} right"
    return f"{so_far}, {said}, {stand.seconds:.2f} s"


if __name__ == "__main__":
    main()
