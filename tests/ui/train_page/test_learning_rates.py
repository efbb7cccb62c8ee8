"""Learning rates stand on a log scale and read well."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tl_core.config.training import LEARNING_RATE_RANGE, TrainingConfig
from ui.train_page.advice import compare_rates
from ui.train_page.controls import rate_options


def test_the_scale_goes_from_the_smallest_to_the_largest_rate_that_is_allowed():
    options = rate_options()
    assert (options[0], options[-1]) == LEARNING_RATE_RANGE
    assert options == sorted(options)
    for rate in options:
        TrainingConfig(learning_rate=rate)


def test_each_step_of_the_scale_is_about_a_doubling():
    options = rate_options()
    ratios = [larger / smaller for smaller, larger in pairwise(options)]
    assert all(1.9 < ratio < 2.6 for ratio in ratios)


def test_a_rate_between_the_steps_has_its_own_place():
    options = rate_options(3e-4, 1e-3)
    assert 3e-4 in options
    assert len(options) == len(rate_options()) + 1


@pytest.mark.parametrize(
    ("rate", "reference", "words"),
    [
        (1e-5, 1e-3, "100 times smaller than"),
        (1e-3, 1e-3, "the same as"),
        (2e-3, 1e-3, "2 times larger than"),
        (4e-4, 1e-3, "2.5 times smaller than"),
        (1e-7, 1.0, "10,000,000 times smaller than"),
    ],
)
def test_two_rates_are_compared_in_a_phrase(rate, reference, words):
    assert compare_rates(rate, reference) == words
