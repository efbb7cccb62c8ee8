"""Whole trainings as trials: judged by the images that each fold holds out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import QUICK
from tl_core.config.presets import GOALS, PRESETS
from tl_core.errors import StoppedError
from tl_core.runs import EventLog, RunFolder
from tl_core.runs.heartbeat import Heartbeat
from tl_core.search.space import QUICK_START
from tl_core.search.trainings import TUNINGS, measure_training, recipes, tuned
from tl_core.training.callbacks.event_log import EventLogger

TUNED = replace(QUICK, epochs=2, frozen_layers=15, fine_tune_epochs=1)


@pytest.fixture
def log(tmp_path):
    with EventLog(tmp_path / "events.jsonl") as events:
        yield EventLogger(events, Heartbeat(RunFolder(tmp_path)))


@pytest.fixture
def masks(dataset):
    """Two folds over the training and the validation images."""
    images = len(dataset.of_split("train")) + len(dataset.of_split("validation"))
    return np.stack([np.arange(images) % 2 == fold for fold in range(2)])


@pytest.mark.slow
def test_each_fold_is_trained_without_what_it_is_asked(dataset, workspace, masks, log):
    found = measure_training(TUNED, dataset, masks, workspace, log, lambda: False, 60)
    assert found.complete
    assert len(found.outcome.rows) == masks.shape[1], "every image is held out once; the test images never appear"
    assert found.outcome.accuracy > 0.6, "three colours"
    assert found.outcome.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_one_that_takes_too_long_ends_early_or_is_left_out(dataset, workspace, masks, log):
    long = replace(TUNED, epochs=1000)
    found = measure_training(long, dataset, masks, workspace, log, lambda: False, 4)
    assert found is None or not found.complete
    assert measure_training(long, dataset, masks, workspace, log, lambda: False, 0) is None


def test_a_stop_is_no_end_by_time(dataset, workspace, masks, log):
    with pytest.raises(StoppedError):
        measure_training(TUNED, dataset, masks, workspace, log, lambda: True, 60)


def test_every_tuning_is_a_setting_of_a_training():
    for tuning in TUNINGS:
        config = tuned(QUICK_START, tuning)
        assert config.fine_tune_epochs
        assert 0 < config.frozen_layers < 151
        assert config.augmentation.horizontal_flip is tuning.flips
    assert len({tuning.title for tuning in TUNINGS}) == len(TUNINGS)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_seven_recipes_suit_any_number_of_classes(classes):
    found = dict(recipes(classes))
    assert len(found) == len(PRESETS) - len(GOALS) == 7
    assert all(config.head.output == "softmax" or classes == 2 for config in found.values())
