"""Which trials answer better together: up to three heads on different backbones, whose probabilities are averaged.

Greedy selection on held-out predictions (Caruana et al. 2004, Ensemble Selection from Libraries of Models,
https://doi.org/10.1145/1015330.1015432): begin with the best, add whatever helps most, and stop when nothing does.
Each member has a backbone and an image size of its own: two heads on the same features differ little. A whole
training, such as the leader with its last blocks fine-tuned, can lead: its run is trained, and heads answer with it.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tl_core.search.heads import Array, Labels, calibrated_loss
from tl_core.search.history import Trial
from tl_core.storage.files import write_bytes

MOST: Final = 3  # members
WORTH: Final = 0.002  # of the score, that an ensemble has to be better than its best member
PER_TRUNK: Final = 3  # of the best heads on each backbone and size, that are considered
NEAR: Final = 0.05  # of the score, below the best so far; the answers of trials that are worse are not kept

Trunk = tuple[str, int]  # backbone and image size
Score = Callable[[float, float, float], float]
"""Of accuracy, loss and cost."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial with what it answered."""

    number: int
    trunk: Trunk
    cost: float  # see `Source.cost`
    probabilities: Array  # (m, classes) of the held-out images
    whole: bool = False  # a whole training, whose weights are those of its run alone


class Answers:
    """What good trials answered about the held-out images; kept in a folder, for a search that is gone on with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, number: int, probabilities: Array) -> None:
        """Keep those of a trial."""
        self._folder.mkdir(exist_ok=True)
        data = io.BytesIO()
        np.save(data, probabilities.astype(np.float16), allow_pickle=False)
        write_bytes(self._file(number), data.getvalue())

    def get(self, number: int, shape: tuple[int, int]) -> Array | None:
        """Those of a trial ``(m, classes)``; None where they were not kept, or are of other images."""
        try:
            found = np.load(io.BytesIO(self._file(number).read_bytes()), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return found.astype(np.float32) if found.shape == shape else None

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.npy"


def candidates(trials: Sequence[Trial], answers: Answers, shape: tuple[int, int]) -> list[Candidate]:
    """The whole trainings, and the best few heads on each backbone and size, whose answers are known.

    Args:
        trials: the best first.
        answers: what they answered.
        shape: held-out images and classes.
    """
    found: list[Candidate] = []
    for trial in trials:
        source, whole = trial.source, trial.config is not None
        trunk = source.backbone, source.image_size
        if not whole and sum(one.trunk == trunk and not one.whole for one in found) >= PER_TRUNK:
            continue
        if (probabilities := answers.get(trial.number, shape)) is not None:
            found.append(Candidate(trial.number, trunk, source.cost, probabilities, whole))
    return found


def select(first: Candidate, others: Sequence[Candidate], labels: Labels, score: Score) -> list[Candidate]:
    """Add to the best trial what helps most, one by one.

    Args:
        first: the best trial.
        others: that may be added.
        labels: classes of the held-out images ``(m,)``.
        score: what decides.

    Returns:
        The members, ``first`` at their head; it alone where none is worth adding.
    """
    members = [first]
    alone = best = score_of(members, labels, score)
    while len(members) < MOST:
        tried = [[*members, other] for other in others if _may_join(other, members)]
        if not tried:
            break
        reached, longer = max(((score_of(one, labels, score), one) for one in tried), key=lambda found: found[0])
        if reached <= best:
            break
        best, members = reached, longer
    return members if best >= alone + WORTH else [first]


def _may_join(other: Candidate, members: Sequence[Candidate]) -> bool:
    """Whether the members, the first of which leads, could answer together with another head."""
    first = members[0]
    small_enough = not first.whole or other.trunk[1] <= first.trunk[1]  # images have the size of the run
    return not other.whole and small_enough and other.trunk not in {one.trunk for one in members}


def score_of(members: Sequence[Candidate], labels: Labels, score: Score) -> float:
    """The score of some trials together."""
    together = mean_of(members)
    accuracy = float((together.argmax(axis=1) == labels).mean())
    return score(accuracy, calibrated_loss(together, labels), sum(one.cost for one in members))


def mean_of(members: Sequence[Candidate]) -> Array:
    """What some trials answer together ``(m, classes)``."""
    result: Array = np.mean([one.probabilities for one in members], axis=0)
    return result


def possible(found: Sequence[Candidate]) -> Iterator[tuple[Candidate, ...]]:
    """All that could be chosen: groups of two and three with different trunks."""
    for count in range(2, MOST + 1):
        for group in itertools.combinations(found, count):
            first, *rest = sorted(group, key=lambda one: not one.whole)
            if all(_may_join(other, [first, *rest[:at]]) for at, other in enumerate(rest)):
                yield group


def rightly_together(groups: Sequence[Sequence[Candidate]], labels: Labels) -> list[npt.NDArray[np.bool_]]:
    """Whether each group answers each held-out image ``(m,)`` rightly."""
    return [mean_of(group).argmax(axis=1) == labels for group in groups]
