"""Measuring in a process of its own while a person fills the form."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tl_core.small_trainings import COLOURS, QUICK, import_coloured
from tl_core.planning.speed import load_speed
from tl_core.planning.speed_meter import SETTLED_SECONDS, SpeedMeter, speed_meter
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
    assert not meter.request(QUICK, images.id)
    assert load_speed(room, QUICK) is not None


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
