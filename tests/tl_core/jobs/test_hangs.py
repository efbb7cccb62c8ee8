"""A training that hangs is ended with what it runs in: the run can be resumed, and what waits goes on."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from tests.tl_core.jobs.thread_runner import ThreadRunner
from tests.tl_core.jobs.waiting import PATIENCE, wait_until, wait_until_idle
from tests.tl_core.small_trainings import COLOURS, LONG, QUICK, Trained, import_coloured
from tl_core.jobs import JobManager
from tl_core.jobs.runners.worker import WorkerRunner
from tl_core.jobs.supervisor import HUNG, LOOK_EVERY
from tl_core.runs import create_run, find_run, list_runs, load_run, update_run
from tl_core.runs.heartbeat import (
    GIVEN_UP_AFTER,
    SILENT_AFTER,
    SLOW_STEP,
    Heartbeat,
    latest_heartbeat,
    silent_seconds,
)
from tl_core.storage.workspace import Workspace


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Hanging:
    """A training whose first run gives one heartbeat and then waits for the test."""

    def __init__(self):
        self.silent, self.wake_up = threading.Event(), threading.Event()

    def __call__(self, config, dataset, run, should_stop):
        update_run(run, status="running")
        if not self.silent.is_set():
            Heartbeat(load_run(run).folder).beat()
            self.silent.set()
            assert self.wake_up.wait(PATIENCE)
        update_run(run, status="done")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path).ensure()


@pytest.fixture
def dataset(workspace):
    return import_coloured(workspace, COLOURS)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def hanging():
    training = Hanging()
    yield training
    training.wake_up.set()


def look(jobs, clock, seconds):
    """What the queue does every few seconds; the runs that it has ended."""
    for _ in range(int(seconds / LOOK_EVERY)):
        clock.now += LOOK_EVERY
        if ended := jobs._supervisor.end_hung_trainings():
            return ended
    return []


def submit_two(jobs, workspace, dataset, config=QUICK):
    first, second = (create_run(workspace, config, dataset, name) for name in ("First", "Second"))
    jobs.submit(first.id)
    jobs.submit(second.id)
    return first.id, second.id


def test_what_waits_goes_on_and_the_hanging_run_is_interrupted(workspace, dataset, clock, hanging):
    jobs = JobManager(workspace, ThreadRunner(train=hanging), clock)
    first, second = submit_two(jobs, workspace, dataset)
    assert hanging.silent.wait(PATIENCE)
    assert look(jobs, clock, SILENT_AFTER + GIVEN_UP_AFTER) == []
    assert [job.run_id for job in jobs.jobs()] == [first, second], "nothing goes on by itself"
    assert look(jobs, clock, 2 * LOOK_EVERY) == [first]
    wait_until_idle(jobs, PATIENCE)
    assert find_run(workspace, second).status == "done"
    run = find_run(workspace, first)
    assert (run.status, run.interruption) == ("interrupted", HUNG)


def test_a_cancelled_run_that_hangs_is_thrown_away_at_once(workspace, dataset, clock, hanging):
    jobs = JobManager(workspace, ThreadRunner(train=hanging), clock)
    first, second = submit_two(jobs, workspace, dataset)
    assert hanging.silent.wait(PATIENCE)
    jobs.cancel(first)
    wait_until_idle(jobs, PATIENCE)
    assert [run.id for run in list_runs(workspace)] == [second]


def test_a_training_that_never_begins_is_ended_too(workspace, dataset, clock):
    reached, wake_up = threading.Event(), threading.Event()

    def load_tensorflow_for_ever(config, dataset, run, should_stop):
        reached.set()
        assert wake_up.wait(PATIENCE)

    jobs = JobManager(workspace, ThreadRunner(train=load_tensorflow_for_ever), clock)
    run = create_run(workspace, QUICK, dataset)
    jobs.submit(run.id)
    assert reached.wait(PATIENCE)
    assert look(jobs, clock, SLOW_STEP + GIVEN_UP_AFTER) == []
    assert look(jobs, clock, 2 * LOOK_EVERY) == [run.id]
    wait_until_idle(jobs, PATIENCE)
    assert find_run(workspace, run.id).status == "interrupted"
    wake_up.set()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_real_process_that_answers_to_nothing(workspace, dataset, clock):
    """A stopped process is as one whose disk or driver does not answer: it hears nothing but the kill."""
    runner = WorkerRunner()
    jobs = JobManager(workspace, runner, clock)
    first = create_run(workspace, LONG, dataset, "Hangs").id
    jobs.submit(first)
    wait_until(lambda: Trained(workspace.runs / first).epochs)
    second = create_run(workspace, QUICK, dataset, "Waits").id
    jobs.submit(second)
    run = find_run(workspace, first)
    os.kill(run.owner.pid, signal.SIGSTOP)
    latest = latest_heartbeat(run.folder)
    assert silent_seconds(run, time.time()) is None
    assert silent_seconds(run, latest.t + latest.allowed + 1) is not None
    assert jobs.job(second).position == 1, "without anybody who looks the queue would stand still"
    assert look(jobs, clock, SLOW_STEP + GIVEN_UP_AFTER + 2 * LOOK_EVERY) == [first]
    wait_until_idle(jobs, PATIENCE)
    assert find_run(workspace, second).status == "done"
    run = find_run(workspace, first)
    assert (run.status, run.interruption) == ("interrupted", HUNG)
    told = len(Trained(run.path).epochs)
    jobs.resume(first)
    wait_until(lambda: len(Trained(run.path).epochs) > told)
    jobs.stop(first)
    wait_until_idle(jobs, PATIENCE)
    assert find_run(workspace, first).status == "stopped"
    runner.close()
