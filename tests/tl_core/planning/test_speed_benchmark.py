"""A measurement runs what a training runs, and the plan then says the time it adds up to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tl_core.small_trainings import QUICK
from tl_core.config import AUGMENTATION_LEVELS, HeadConfig
from tl_core.planning import plan_training
from tl_core.planning.speed import load_speed
from tl_core.planning.speed_benchmark import measure_speed
from tl_core.storage.workspace import Workspace

LIGHT = AUGMENTATION_LEVELS["light"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "augmented", "tuned"),
    [
        ({}, False, False),
        ({"augmentation": LIGHT, "frozen_layers": 15, "fine_tune_epochs": 2}, True, True),
        ({"frozen_layers": 0, "fine_tune_epochs": 1, "head": HeadConfig(output="sigmoid")}, False, True),
    ],
    ids=["head alone", "augmented and tuned", "everything tuned"],
)
def test_every_part_of_a_training_is_measured(tmp_path, dataset, changes, augmented, tuned):
    room = Workspace(tmp_path).ensure()
    config = replace(QUICK, **changes)
    speed = measure_speed(room, config, dataset)
    assert load_speed(room, config) == speed
    assert min(speed.build, speed.save, speed.decode, speed.head.compile, speed.head.frozen, speed.head.learn) > 0
    assert (speed.head.changed > speed.head.frozen) == augmented
    assert (speed.fine_tune is not None) == tuned
    if speed.fine_tune is not None:
        assert speed.fine_tune.learn > speed.head.learn


@pytest.mark.slow
def test_the_plan_adds_up_what_was_measured(tmp_path, dataset):
    room = Workspace(tmp_path).ensure()
    guessed = plan_training(QUICK, dataset, room)
    assert not guessed.exact
    speed = measure_speed(room, QUICK)
    plan = plan_training(QUICK, dataset, room)
    assert plan.exact
    assert plan.measured
    assert plan.seconds > speed.build + speed.save + speed.head.compile
    longer = plan_training(replace(QUICK, epochs=1000), dataset, room)
    learning = len(dataset.of_split("train")) * speed.head.learn
    assert longer.seconds - plan.seconds > 0.9 * (1000 - QUICK.epochs) * learning


def test_the_plan_knows_what_earlier_trainings_have_kept(train_run, workspace, dataset):
    config = replace(QUICK, seed=4321)
    before = plan_training(config, dataset, workspace)
    train_run(dataset, seed=4321)
    after = plan_training(replace(config, learning_rate=1e-3), dataset, workspace)
    assert after.seconds < before.seconds - 1  # the frozen layers need not be compiled, nor run
    assert plan_training(replace(config, seed=4322), dataset, workspace).seconds > after.seconds + 1
