"""What is asked, concluded and estimated, on digits that are seen as their own small pictures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from benchmarks.pointing import CLICKS, clicks_to, point_out
from tl_core.audit.pointing.chooser import UNKNOWN, Chooser


@pytest.fixture(scope="module")
def digits():
    """Rows of pixels in place of features, and labels; shuffled."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(3).permutation(len(labels))
    return pixels[order].astype(np.float32), labels[order].astype(np.int64)


def test_a_hundred_clicks_label_six_hundred_digits(digits):
    features, truth = digits[0][:600], digits[1][:600]
    stands = list(point_out(features, truth, 100, every=10))
    assert clicks_to(stands) is not None
    last = stands[-1]
    assert last.right >= 0.93
    assert last.labelled < 250, "most of it is concluded"
    assert last.estimate.low <= last.right + 0.03
    assert last.estimate.high >= last.right - 0.03
    left = last.estimate.clicks_left
    assert left[0.9] <= left[0.95] <= left[0.98] < 600
    assert left[0.9] < 30
    assert np.median([stand.seconds for stand in stands]) < 0.5


@pytest.mark.long
def test_three_hundred_clicks_label_all_digits(workspace):
    from tl_core.audit.features import FeatureSource
    from tl_core.data import import_sample
    from tl_core.machine.progress import UNATTENDED

    dataset = import_sample(workspace, "digits", UNATTENDED)
    truth = np.array([record.label for record in dataset.images], np.int64)
    stands = list(point_out(FeatureSource(dataset, UNATTENDED).read(), truth, CLICKS, every=10))
    assert clicks_to(stands) is not None
    assert np.median([stand.seconds for stand in stands]) < 0.5


def test_what_was_skipped_is_not_asked_again_and_the_questions_come_to_an_end(digits):
    chooser = Chooser(digits[0][:40])
    labels, closed = np.full(40, UNKNOWN, np.int64), []
    for asked in range(40):
        question = chooser.ask(labels, chooser.conclude(labels, 10), closed, asked)
        if question is None:
            break
        assert not set(question.rows) & set(closed)
        assert all(labels[row] == UNKNOWN for row in question.rows)
        if asked % 2:
            closed += question.rows
        else:
            labels[list(question.rows)] = digits[1][question.rows[0]]
    assert question is None


def test_the_first_question_is_a_group_of_one_kind_and_suggests_nothing(digits):
    chooser = Chooser(digits[0][:600])
    labels = np.full(600, UNKNOWN, np.int64)
    question = chooser.ask(labels, chooser.conclude(labels, 10), (), 0)
    assert question.suggested is None
    assert len(question.rows) >= 4
    assert np.bincount(digits[1][list(question.rows)]).max() >= 0.8 * len(question.rows)
