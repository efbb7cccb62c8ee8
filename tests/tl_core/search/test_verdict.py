"""What a search claims about its winner."""

from __future__ import annotations

import numpy as np

from tl_core.search.verdict import describe, judge


def answers(shares: list[float], images: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.random((len(shares), images)) < np.array(shares)[:, None]


def test_the_luckiest_of_many_equal_choices_is_not_called_better():
    right = answers([0.9] * 200, 60)
    winner = int(right.sum(1).argmax())
    verdict = judge(right, 0, winner)
    assert verdict.accuracy > 0.93
    assert verdict.optimism > 0.03
    assert not verdict.better
    assert describe(verdict).startswith("It is not clearly better than *Fast*")


def test_a_choice_that_is_better_is_called_so():
    right = answers([0.8] + [0.93] * 5, 400)
    verdict = judge(right, 0, 1 + int(right[1:].sum(1).argmax()))
    assert verdict.better
    assert abs(verdict.gain - (verdict.accuracy - verdict.quick_start - verdict.optimism)) < 0.02
    assert verdict.gain_low < verdict.gain < verdict.gain_high
    assert verdict.optimism < 0.03
    assert describe(verdict).startswith("It is better than *Fast*")


def test_quick_start_itself_may_win():
    right = answers([0.95, 0.7, 0.7], 200)
    verdict = judge(right, 0, 0)
    assert verdict.accuracy == verdict.quick_start
    assert not verdict.better
    share = f"{100 * verdict.accuracy:.1f} %"
    assert (
        describe(verdict)
        == f"*Fast* is the best of 3 that were tried: it is right about {share} of 200 held-out images."
    )


def test_two_that_are_always_right_are_just_as_good_and_no_difference_is_named():
    verdict = judge(np.ones((3, 276), bool), 0, 2)
    assert describe(verdict) == "It is just as good as *Fast*: both are right about 100.0 % of 276 held-out images."
