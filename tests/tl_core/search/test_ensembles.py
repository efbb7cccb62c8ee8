"""Which trials are put together: those that make up for each other's mistakes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tl_core.search.ensembles import Answers, Candidate, candidates, possible, rightly_together, select
from tl_core.search.history import Trial
from tl_core.search.space import QUICK_START as QUICK
from tl_core.search.space import SOURCES, dimensions, quick_start_params

LABELS = np.arange(100) % 2
QUICK_START = quick_start_params(dimensions(SOURCES, unbalanced=False))


def candidate(number: int, wrong: list[int], trunk: str) -> Candidate:
    """One that is wrong about some images, and less sure of those."""
    right = ~np.isin(np.arange(100), wrong)
    sure = np.where(right, 0.7, 0.55).astype(np.float32)
    probabilities = np.empty((100, 2), np.float32)
    said = np.where(right, LABELS, 1 - LABELS)
    probabilities[np.arange(100), said] = sure
    probabilities[np.arange(100), 1 - said] = 1 - sure
    return Candidate(number, (trunk, 224), 1.0, probabilities)


BEST = candidate(0, [*range(10)], "a")
SAME = candidate(1, [*range(12)], "b")
OTHER = candidate(2, [*range(3), *range(50, 65)], "c")
THIRD = candidate(3, [*range(3, 7), *range(70, 90)], "d")


def accuracy_alone(accuracy: float, loss: float, cost: float) -> float:
    return accuracy


def accuracy_at_a_cost(accuracy: float, loss: float, cost: float) -> float:
    return accuracy - 0.2 * (cost - 1)


def test_trials_that_are_wrong_about_other_images_are_put_together():
    chosen = select(BEST, [SAME, OTHER, THIRD], LABELS, accuracy_alone)
    assert sorted(one.number for one in chosen) == [0, 2, 3]
    assert chosen[0] is BEST
    (right,) = rightly_together([chosen], LABELS)
    assert right.all()


def test_the_best_stays_alone_where_nothing_helps_or_it_costs_too_much():
    assert select(BEST, [SAME], LABELS, accuracy_alone) == [BEST]
    assert select(BEST, [OTHER], LABELS, accuracy_at_a_cost) == [BEST]
    assert select(BEST, [OTHER], LABELS, accuracy_alone) == [BEST, OTHER]


def test_a_whole_training_leads_heads_whose_images_are_not_larger():
    tuned = replace(BEST, whole=True)
    assert select(tuned, [OTHER], LABELS, accuracy_alone) == [tuned, OTHER]
    assert select(tuned, [replace(OTHER, trunk=("c", 320))], LABELS, accuracy_alone) == [tuned]
    assert select(BEST, [replace(OTHER, whole=True)], LABELS, accuracy_alone) == [BEST], "its weights are of no head"
    assert list(possible([OTHER, tuned])) == [(OTHER, tuned)]
    assert list(possible([replace(OTHER, whole=True), tuned])) == []
    assert list(possible([replace(OTHER, trunk=("c", 320)), tuned])) == []


def test_two_heads_on_the_same_features_are_never_put_together():
    twin = candidate(4, [*range(50, 65)], "a")
    assert select(BEST, [twin], LABELS, accuracy_alone) == [BEST]
    assert list(possible([BEST, twin])) == []
    assert len(list(possible([BEST, twin, SAME, OTHER]))) == 7


def test_answers_outlive_the_search_and_few_of_each_backbone_are_considered(tmp_path):
    def trial(number: int, source: str, **changes) -> Trial:
        params = {**QUICK_START, "source": source}
        return Trial(number, params, "complete", 0.9, 0.3, 0.9, (), 1.0, 1.0, **changes)

    trials = [trial(number, SOURCES[0].name) for number in range(5)]
    trials += [trial(5, SOURCES[1].name), trial(6, SOURCES[1].name)]
    trials += [trial(7, SOURCES[1].name, config=QUICK.to_file())]
    expected = np.random.default_rng(0).dirichlet([1, 1], 100).astype(np.float32)
    for number in (0, 1, 2, 3, 4, 5, 7):  # the sixth was not worth keeping
        Answers(tmp_path / "answers").put(number, expected)
    found = candidates(trials, Answers(tmp_path / "answers"), (100, 2))
    assert [(one.number, one.whole) for one in found] == [(0, False), (1, False), (2, False), (5, False), (7, True)]
    assert found[0].probabilities == pytest.approx(expected, abs=1e-3)
    assert candidates(trials, Answers(tmp_path / "answers"), (99, 2)) == []
