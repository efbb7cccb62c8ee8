"""Where a whole training stands, over both phases."""

from __future__ import annotations

import pytest

from tests.tl_core.figures.run_events import epoch, phase
from tl_core.config import TrainingConfig
from tl_core.planning.time_left import time_left
from tl_core.runs import RunProgress

CONFIG = TrainingConfig(epochs=10, frozen_layers=100, fine_tune_epochs=5)
QUARTER = {"kind": "progress", "done": 1, "total": 4}
END = {"kind": "end", "text": ""}
PLANNED = {"head": 20.0, "fine_tune": 50.0}


def at(seconds, event):
    return {**event, "t": float(seconds)}


def stage(name):
    return {"kind": "phase", "phase": name, "text": name}


def progress(*events):
    return RunProgress().add(events)


def test_what_later_phases_take_is_counted():
    now = progress(at(0, stage("prepare")), at(10, phase("head", 1, 10)), at(14, epoch(4)))
    left = time_left(CONFIG, now, PLANNED, 14)
    assert left.seconds == pytest.approx(6 + 50)
    assert left.fraction == pytest.approx(14 / 70)
    assert (left.epoch, left.epochs, left.phase, left.phases) == (4, 15, 1, 2)


def test_while_the_frozen_layers_run_the_plan_says_what_is_left():
    now = progress(at(0, stage("prepare")), at(1, stage("features")), at(5, QUARTER))
    left = time_left(CONFIG, now, PLANNED, 5)
    assert left.seconds == pytest.approx(20 - 4 + 50)
    assert left.phase == 1


def test_a_stage_that_takes_longer_than_planned_is_not_shown_as_nearly_done():
    now = progress(at(0, stage("prepare")), at(1, stage("features")), at(1, {**QUARTER, "done": 0, "total": 100}))
    assert (now.images, now.images_total) == (0, 100)
    bar = [
        time_left(TrainingConfig(epochs=10), now, {"head": 20.0}, seconds).fraction for seconds in (10, 20, 60, 600)
    ]
    assert bar == pytest.approx([0.2, 0.2, 0.2, 0.2], abs=0.01), "no image is counted yet"
    assert time_left(TrainingConfig(epochs=10), now, {"head": 20.0}, 61).seconds == pytest.approx(15)


def test_the_bar_is_not_far_ahead_of_the_images_that_the_text_counts():
    counted = at(20, {"kind": "progress", "done": 32, "total": 90})
    now = progress(at(0, stage("prepare")), at(19, stage("features")), counted)
    alone = time_left(TrainingConfig(epochs=10), now, {"head": 3.0}, 20)
    assert alone.fraction == pytest.approx(0.2 + 0.8 * 32 / 90)
    assert time_left(CONFIG, now, {"head": 3.0, "fine_tune": 1.0}, 20).fraction == pytest.approx(
        0.75 * 0.4844, abs=0.001
    )
    in_time = progress(at(0, stage("prepare")), at(1, stage("features")), at(8, {**counted, "done": 80}))
    assert time_left(TrainingConfig(epochs=10), in_time, {"head": 20.0}, 8).fraction == pytest.approx(8 / 21)


def test_between_the_phases_the_second_is_ahead_and_the_bar_does_not_begin_again():
    head = [at(0, stage("prepare")), at(0, phase("head", 1, 10)), *(at(n, epoch(n)) for n in range(1, 11))]
    now = progress(*head, at(10, stage("features")))
    left = time_left(CONFIG, now, PLANNED, 12)
    assert (left.phase, left.epochs) == (2, 15)
    assert left.seconds == pytest.approx(48)
    assert left.fraction == pytest.approx(12 / 60)


def test_without_a_plan_the_epochs_say_how_much_is_done():
    left = time_left(CONFIG, progress(at(0, phase("head", 1, 10)), at(3, epoch(3))), {}, 3)
    assert left.seconds is None
    assert left.fraction == pytest.approx(3 / 15)


def test_at_the_end_nothing_is_promised():
    done = [at(0, phase("head", 1, 10)), *(at(n, epoch(n)) for n in range(1, 11))]
    left = time_left(CONFIG, progress(*done, at(11, stage("evaluate"))), PLANNED, 11)
    assert left.seconds is None
    assert left.fraction > 0.9


def test_a_run_that_goes_on_counts_what_it_had_and_not_its_pause():
    first = [
        at(0, stage("prepare")),
        at(0, phase("head", 1, 10)),
        at(8, epoch(4)),
        at(9, END),
    ]
    resumed = [at(100, stage("prepare")), at(101, phase("head", 5, 6)), at(103, epoch(5))]
    now = progress(*first, *resumed)
    assert now.elapsed_seconds(103) == pytest.approx(9 + 3)
    assert now.worked == pytest.approx(9 + 3)
    left = time_left(TrainingConfig(epochs=10), now, {"head": 20.0}, 103)
    assert (left.epoch, left.epochs) == (5, 10)
    assert left.fraction == pytest.approx(12 / 22)
