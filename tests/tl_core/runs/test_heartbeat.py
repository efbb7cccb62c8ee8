"""The heartbeat of a training, with clocks that the test moves."""

from __future__ import annotations

import time

import pytest

from tl_core.runs import RunFolder, update_run
from tl_core.runs.heartbeat import (
    GIVEN_UP_AFTER,
    SILENT_AFTER,
    SLOW_STEP,
    WRITTEN_EVERY,
    HangDetector,
    Heartbeat,
    latest_heartbeat,
    silent_seconds,
)

LOOK = 5.0


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


@pytest.fixture
def heart(folder, clock):
    return Heartbeat(folder, clock)


def silent_for(folder, clock, seconds):
    """Whether somebody who looks every five seconds for so long gives the training up."""
    silence = HangDetector(folder, LOOK, clock())
    return any(silence.too_long(clock.now + passed) for passed in range(0, seconds + 1, int(LOOK)))


def test_the_file_is_written_every_other_second_at_most(folder, clock, heart):
    heart.beat()
    written = set()
    for _ in range(1000):
        clock.now += 0.01
        heart.beat()
        written.add(folder.heartbeat_file.stat().st_mtime_ns)
    assert 10 / WRITTEN_EVERY - 1 <= len(written) <= 10 / WRITTEN_EVERY + 1


def test_between_batches_the_timeout_is_30_s_and_in_a_slow_step_180(folder, heart):
    heart.beat()
    assert latest_heartbeat(folder).allowed == SILENT_AFTER == 30
    heart.slow_step()
    assert latest_heartbeat(folder).allowed == SLOW_STEP == 180
    heart.beat()
    assert latest_heartbeat(folder).allowed == SILENT_AFTER, "at once, not two seconds later"


def test_a_stage_of_slow_steps_keeps_its_allowance(folder, heart):
    heart.enter(slow=True)
    heart.beat()
    assert latest_heartbeat(folder).allowed == SLOW_STEP
    heart.enter(slow=False)
    heart.beat()
    assert latest_heartbeat(folder).allowed == SILENT_AFTER


def test_batches_that_are_slow_by_nature_are_not_a_hang(folder, clock, heart):
    heart.slow_step()
    clock.now += 100  # the first batch: not typical of the others
    heart.beat()
    assert latest_heartbeat(folder).allowed == SILENT_AFTER
    clock.now += 25
    heart.beat()
    assert latest_heartbeat(folder).allowed == 75
    clock.now += 10_000  # a hang that has passed
    heart.beat()
    assert latest_heartbeat(folder).allowed == 75


def test_a_run_at_work_is_silent_once_its_sign_is_overdue(run):
    Heartbeat(run.folder).beat()
    now = latest_heartbeat(run.folder).t
    assert silent_seconds(run, now + 1000) is None, "it waits, nobody works on it"
    run = update_run(run.path, status="running")
    assert silent_seconds(run, now + SILENT_AFTER - 1) is None
    assert silent_seconds(run, now + SILENT_AFTER + 1) == pytest.approx(SILENT_AFTER + 1)
    assert silent_seconds(run, now - 3600) is None, "the clock of the machine was set back"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"t": 1}', '{"t": null, "allowed": 3}'])
def test_a_damaged_file_is_no_sign_and_no_error(folder, content):
    folder.heartbeat_file.write_text(content)
    assert latest_heartbeat(folder) is None


def test_a_disk_that_takes_nothing_does_not_end_the_training(tmp_path):
    heart = Heartbeat(RunFolder(tmp_path / "gone"))
    heart.beat()
    assert latest_heartbeat(RunFolder(tmp_path / "gone")) is None


def test_it_is_given_up_120_s_after_its_allowance(folder, clock, heart):
    heart.beat()
    assert not silent_for(folder, clock, int(SILENT_AFTER + GIVEN_UP_AFTER))
    assert silent_for(folder, clock, int(SILENT_AFTER + GIVEN_UP_AFTER + LOOK))
    heart.slow_step()
    assert not silent_for(folder, clock, int(SLOW_STEP + GIVEN_UP_AFTER))
    assert silent_for(folder, clock, int(SLOW_STEP + GIVEN_UP_AFTER + LOOK))


def test_a_sign_begins_the_count_anew(folder, clock, heart):
    heart.beat()
    silence = HangDetector(folder, LOOK, clock())
    for _ in range(200):
        clock.now += LOOK
        heart.beat()
        assert not silence.too_long(clock.now)
        assert silence.seconds == 0


def test_the_sleep_of_a_laptop_is_not_a_hang(folder, clock, heart):
    heart.beat()
    silence = HangDetector(folder, LOOK, clock())
    clock.now += 8 * 3600
    assert not silence.too_long(clock.now)
    assert silence.seconds <= 2 * LOOK


def test_a_heartbeat_costs_next_to_nothing(folder):
    heart = Heartbeat(folder)
    heart.beat()
    began = time.process_time()
    for _ in range(10_000):
        heart.beat()
    assert time.process_time() - began < 0.5, "under 50 µs of processor time each"
