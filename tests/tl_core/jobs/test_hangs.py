"""A training that hangs: given up, so that the queue goes on; what it does when it wakes up again."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from tests.tl_core.jobs.waiting import wait_until_idle
from tests.tl_core.small_trainings import COLOURS, QUICK, Trained, import_coloured
from tl_core.config import AugmentationConfig
from tl_core.errors import WorkspaceError
from tl_core.features.images import StoredImages
from tl_core.jobs import JobManager
from tl_core.jobs.supervisor import HUNG, LOOK_EVERY
from tl_core.runs import create_run, find_run, list_runs, update_run
from tl_core.runs.heartbeat import (
    GIVEN_UP_AFTER,
    SILENT_AFTER,
    SLOW_STEP,
    Heartbeat,
    latest_heartbeat,
    silent_seconds,
)
from tl_core.runs.store import is_hung
from tl_core.storage.workspace import Workspace

PATIENCE = 60  # seconds until what should come counts as never coming


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("hangs")).ensure()


@pytest.fixture(scope="module")
def dataset(workspace):
    return import_coloured(workspace, COLOURS)


@pytest.fixture
def clock():
    return Clock()


class Hanging:
    """A training whose first run gives one heartbeat and then waits for the test."""

    def __init__(self):
        self.silent, self.wake_up, self.awake = threading.Event(), threading.Event(), threading.Event()
        self.told_to_stop = None

    def __call__(self, config, dataset, run, should_stop):
        update_run(run, status="running")
        if self.silent.is_set():
            update_run(run, status="done")
            return
        Heartbeat(find_run(Workspace(run.parent.parent), run.name).folder).beat()
        self.silent.set()
        assert self.wake_up.wait(PATIENCE)
        self.told_to_stop = should_stop()
        self.awake.set()


@pytest.fixture
def hanging():
    training = Hanging()
    yield training
    training.wake_up.set()


def look(jobs, clock, seconds):
    """What the queue does every few seconds; whether it has given a run up."""
    for _ in range(int(seconds / LOOK_EVERY)):
        clock.now += LOOK_EVERY
        if jobs._supervisor.give_up_if_hung():
            return True
    return False


def submit_two(jobs, workspace, dataset, config=QUICK):
    first, second = (create_run(workspace, config, dataset, name) for name in ("First", "Second"))
    jobs.submit(first.id)
    jobs.submit(second.id)
    return first.id, second.id


def test_what_waits_goes_on_and_the_hanging_run_is_interrupted(workspace, dataset, clock, hanging):
    jobs = JobManager(workspace, train=hanging, clock=clock)
    first, second = submit_two(jobs, workspace, dataset)
    assert hanging.silent.wait(PATIENCE)
    assert not look(jobs, clock, SILENT_AFTER + GIVEN_UP_AFTER)
    assert [job.run_id for job in jobs.jobs()] == [first, second], "nothing goes on by itself"
    assert look(jobs, clock, 2 * LOOK_EVERY)
    wait_until_idle(jobs, PATIENCE)
    assert find_run(workspace, second).status == "done"
    run = find_run(workspace, first)
    assert (run.status, run.error) == ("interrupted", HUNG)
    assert is_hung(run)
    with pytest.raises(WorkspaceError, match="still hangs in the program"):
        jobs.resume(first)
    assert not jobs._supervisor.give_up_if_hung()

    hanging.wake_up.set()
    assert hanging.awake.wait(PATIENCE)
    assert hanging.told_to_stop, "what was given up and wakes up is to stop"
    third = create_run(workspace, QUICK, dataset, "Third")
    jobs.submit(third.id)
    wait_until_idle(jobs, PATIENCE)
    assert find_run(workspace, third.id).status == "done"


def test_after_the_program_has_ended_it_can_be_resumed(workspace, dataset, clock, hanging):
    jobs = JobManager(workspace, train=hanging, clock=clock)
    first, _ = submit_two(jobs, workspace, dataset)
    assert hanging.silent.wait(PATIENCE)
    assert look(jobs, clock, 200)
    update_run(find_run(workspace, first).path, owner=None)  # as another process finds it
    after = JobManager(workspace, resume=hanging)
    after.resume(first)
    wait_until_idle(after, PATIENCE)
    run = find_run(workspace, first)
    assert (run.status, run.error) == ("done", None)


def test_a_cancelled_run_that_hangs_is_thrown_away(workspace, dataset, clock, hanging):
    jobs = JobManager(workspace, train=hanging, clock=clock)
    first, second = submit_two(jobs, workspace, dataset)
    assert hanging.silent.wait(PATIENCE)
    jobs.cancel(first)
    assert look(jobs, clock, 200)
    wait_until_idle(jobs, PATIENCE)
    ids = [run.id for run in list_runs(workspace)]
    assert first not in ids
    assert second in ids


def test_a_training_that_never_begins_is_given_up_too(workspace, dataset, clock):
    reached, wake_up = threading.Event(), threading.Event()

    def load_tensorflow_for_ever(config, dataset, run, should_stop):
        reached.set()
        assert wake_up.wait(PATIENCE)

    jobs = JobManager(workspace, train=load_tensorflow_for_ever, clock=clock)
    run = create_run(workspace, QUICK, dataset)
    jobs.submit(run.id)
    assert reached.wait(PATIENCE)
    assert not look(jobs, clock, SLOW_STEP + GIVEN_UP_AFTER)
    assert look(jobs, clock, 2 * LOOK_EVERY)
    assert find_run(workspace, run.id).status == "interrupted"
    wake_up.set()


def test_a_real_training_whose_disk_does_not_answer(workspace, dataset, clock, monkeypatch):
    """The images are read again in every epoch; in the middle of the third, reading blocks."""
    read, blocked, answer = StoredImages.read, threading.Event(), threading.Event()

    def read_or_hang(images, rows):
        epoch = latest_epoch(workspace, first)
        if epoch >= 2 and not blocked.is_set():
            blocked.set()
            assert answer.wait(PATIENCE)
        return read(images, rows)

    config = replace(QUICK, epochs=4, augmentation=AugmentationConfig(rotation_degrees=10), augmentation_mode="full")
    first = create_run(workspace, config, dataset, "Hangs").id
    monkeypatch.setattr(StoredImages, "read", read_or_hang)
    jobs = JobManager(workspace, clock=clock)
    jobs.submit(first)
    second = create_run(workspace, replace(QUICK, epochs=2), dataset, "Waits").id
    jobs.submit(second)
    assert blocked.wait(PATIENCE), "the fault was injected"

    run = find_run(workspace, first)
    latest = latest_heartbeat(run.folder)
    assert silent_seconds(run, time.time()) is None
    assert silent_seconds(run, latest.t + latest.allowed + 1) is not None
    assert jobs.job(second).position == 1, "without anybody who looks the queue would stand still"
    assert look(jobs, clock, SLOW_STEP + GIVEN_UP_AFTER + 2 * LOOK_EVERY)
    wait_until_idle(jobs, PATIENCE)
    assert find_run(workspace, second).status == "done"
    assert find_run(workspace, first).error == HUNG

    answer.set()
    deadline = time.monotonic() + PATIENCE
    while find_run(workspace, first).status != "stopped":
        assert time.monotonic() < deadline, "it did not end after it woke up"
        time.sleep(0.02)  # between two looks: the condition decides
    woken = Trained(run.path)
    assert woken.record.has_model, "what it had learned by then is kept"
    assert len(woken.epochs) == 2


def latest_epoch(workspace, run_id):
    run = Trained(workspace.runs / run_id)
    return max((event["epoch"] for event in run.epochs), default=0)
