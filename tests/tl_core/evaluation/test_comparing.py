"""Which of two models is better on the same test images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tl_core.evaluation.comparing import Duel, compare_on_test_images


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 1), (8, 2), (2, 8), (30, 10)])
def test_the_probability_is_that_of_a_share_above_one_half(first, second):
    shares = np.random.default_rng(0).beta(first + 0.5, second + 0.5, 200_000)
    assert Duel(100, first, second).first_is_better == pytest.approx((shares > 0.5).mean(), abs=0.005)


def test_few_differences_do_not_decide_and_many_do():
    assert Duel(100, 1, 0).first_is_better < 0.95
    assert Duel(100, 9, 1).first_is_better > 0.99
    assert Duel(100, 1, 9).first_is_better == pytest.approx(1 - Duel(100, 9, 1).first_is_better)


def test_the_sentence_names_the_better_one():
    assert Duel(56, 9, 1).sentence("A", "B").startswith("“A” is better than “B” with a probability of more than 99 %")
    assert "“B” is better than “A” with a probability of 84 %: of" in Duel(56, 1, 3).sentence("A", "B")
    assert "as many" in Duel(56, 2, 2).sentence("A", "B")


def test_two_runs_meet_on_the_test_images_of_their_dataset(shared_run, dataset):
    run = shared_run.record
    met = compare_on_test_images(run, run, dataset)
    assert met == Duel(len(dataset.of_split("test")), 0, 0)
    assert compare_on_test_images(run, replace(run, dataset_fingerprint="another"), dataset) is None
    assert compare_on_test_images(run, replace(run, model_sha256="f" * 64), dataset) is None
