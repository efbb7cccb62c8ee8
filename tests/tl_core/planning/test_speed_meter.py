"""Measuring in a process of its own while a person fills the form."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tl_core.small_trainings import COLOURS, QUICK, import_coloured
from tl_core.planning.speed import PhaseSpeed, Speed, kind_of, load_speed, save_speed
from tl_core.planning.speed_meter import LATER, MOST_AGAIN, SETTLED_SECONDS, SOON, SpeedMeter, speed_meter
from tl_core.storage.workspace import Workspace

PATIENCE = 120


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def room(tmp_path) -> Workspace:
    return Workspace(tmp_path).ensure()


@pytest.fixture
def images(room):
    return import_coloured(room, COLOURS, count=8)


@pytest.fixture
def meter(room):
    clock = Clock()
    meter = SpeedMeter(room, clock)
    meter.clock = clock
    yield meter
    meter.stop()


def wish(meter, config, dataset):
    """Wish until the settings count as settled."""
    assert meter.request(config, dataset.id)
    assert meter._process is None
    meter.clock.now += SETTLED_SECONDS
    assert meter.request(config, dataset.id)
    return meter._process


@pytest.mark.slow
def test_an_unchanged_request_is_measured(meter, room, images):
    process = wish(meter, QUICK, images)
    assert process.poll() is None
    assert process.wait(PATIENCE) == 0
    found = load_speed(room, QUICK)
    assert found is not None
    assert bool(meter.request(QUICK, images.id)) == (not found.quiet)  # on a busy machine it waits to measure again


def test_other_settings_and_a_training_end_the_measurement(meter, images):
    process = wish(meter, QUICK, images)
    assert meter.request(replace(QUICK, batch_size=4), images.id)
    assert process.wait(PATIENCE) != 0
    other = wish(meter, QUICK, images)
    meter.stop()
    assert other.wait(PATIENCE) != 0


@pytest.mark.slow
def test_what_cannot_be_measured_is_tried_once(meter, images):
    impossible = replace(QUICK, backbone="inception_v3", image_size=40)
    assert wish(meter, impossible, images).wait(PATIENCE) != 0
    assert not meter.request(impossible, images.id)
    meter.clock.now += 2 * SETTLED_SECONDS
    assert not meter.request(impossible, images.id)
    assert meter.request(QUICK, images.id)


def test_there_is_one_meter_for_a_workspace(room):
    assert speed_meter(room) is speed_meter(Workspace(room.root))


SLOW = Speed(9.0, 9.0, 9.0, PhaseSpeed(9.0, 9.0, 0.0, 9.0, 9.0, 9.0))


def test_what_was_measured_on_a_busy_machine_is_measured_again_once_it_is_quiet(room, images):
    save_speed(room, QUICK, SLOW)
    quiet: list[bool] = []
    clock = Clock()
    meter = SpeedMeter(room, clock, lambda: bool(quiet))
    try:
        for _ in range(3):
            assert meter.request(QUICK, images.id) == LATER, "it is asked seldom as long as it is in vain"
            clock.now += SETTLED_SECONDS
        assert meter._process is None, "the machine is busy"
        quiet.append(True)
        assert meter.request(QUICK, images.id) == SOON
        clock.now += SETTLED_SECONDS
        assert meter.request(QUICK, images.id)
        assert meter._process is not None
    finally:
        meter.stop()


def test_one_that_never_stays_quiet_is_not_measured_without_end(room, images, monkeypatch):
    save_speed(room, QUICK, SLOW)
    clock = Clock()
    meter = SpeedMeter(room, clock, lambda: True)
    monkeypatch.setattr(meter, "_begin", lambda *_: None)
    asked = 0
    while meter.request(QUICK, images.id):
        clock.now += SETTLED_SECONDS
        asked += 1
        assert asked < 20
    assert meter._again.count(kind_of(QUICK)) == MOST_AGAIN


def test_what_was_measured_in_quiet_is_not_measured_again(room, images):
    save_speed(room, QUICK, replace(SLOW, quiet=True))
    assert not SpeedMeter(room, quiet=lambda: True).request(QUICK, images.id)
