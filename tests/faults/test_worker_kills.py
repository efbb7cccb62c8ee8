"""The worker process of the queue is killed at random moments, and the memory of many trainings in one of them."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import psutil
import pytest

from tests.faults.killed_trainings import damage_of
from tests.tl_core.jobs.waiting import PATIENCE, wait_until, wait_until_idle
from tests.tl_core.small_trainings import COLOURS, QUICK, Trained, import_coloured
from tl_core.jobs import JobManager
from tl_core.jobs.runners.worker import WorkerRunner
from tl_core.runs import create_run, find_run
from tl_core.storage.workspace import Workspace

# Some seconds of work, most of which are epochs of fine-tuning.
CONFIG = replace(QUICK, epochs=3, frozen_layers=0, fine_tune_epochs=12, fine_tune_learning_rate=1e-5)
SHORT = replace(CONFIG, fine_tune_epochs=5)
LATEST_KILL, LATEST_OF_SHORT = 6.0, 3.0  # seconds after a run has begun
GROWTH_OF_A_TRAINING = 1 << 20  # bytes
ALLOCATOR = 64 << 20  # bytes of freed memory that the C library keeps


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path).ensure()


@pytest.fixture
def jobs(workspace):
    runner = WorkerRunner(slots=1)
    yield JobManager(workspace, runner)
    runner.close()


def kill_worker_of(jobs, workspace, run_id, moment):
    """Kill the process that trains a run, so many seconds after it has begun; false if it was done before."""
    wait_until(lambda: find_run(workspace, run_id).status != "queued")
    run = find_run(workspace, run_id)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > moment or not find_run(workspace, run_id).active)
    if not find_run(workspace, run_id).active:
        return False
    psutil.Process(run.owner.pid).kill()
    wait_until_idle(jobs, PATIENCE)
    return True


def kill_often(jobs, workspace, dataset, config, kills, latest, seed):
    """Kill until there were so many; returns the runs, all of which have come to their end."""
    moments, runs = random.Random(seed), []
    while kills:
        run_id = create_run(workspace, config, dataset).id
        runs.append(run_id)
        jobs.submit(run_id)
        while kills and kill_worker_of(jobs, workspace, run_id, moments.uniform(0, latest)):
            kills -= 1
            cut_off = find_run(workspace, run_id)
            assert cut_off.status == "interrupted"
            assert "press Resume" in cut_off.interruption
            assert damage_of(cut_off) is None
            jobs.resume(run_id)
        wait_until_idle(jobs, PATIENCE)
    return runs


def require_whole(workspace, runs):
    """No epoch is missing or there twice, and all runs have learned the same."""
    curves = []
    for run_id in runs:
        run = Trained(workspace.runs / run_id)
        assert run.record.status == "done"
        planned = run.record.config.epochs + run.record.config.fine_tune_epochs
        assert [event["epoch"] for event in run.epochs] == list(range(1, planned + 1))
        assert damage_of(run.record) is None
        curves.append(run.curve("val_loss"))
    assert all(curve == pytest.approx(curves[0], abs=1e-3) for curve in curves)


@pytest.mark.timeout(600)
def test_a_few_kills_of_the_worker_lose_nothing(workspace, jobs):
    dataset = import_coloured(workspace, COLOURS)
    untouched = create_run(workspace, SHORT, dataset).id
    jobs.submit(untouched)
    wait_until_idle(jobs, PATIENCE)
    runs = kill_often(jobs, workspace, dataset, SHORT, kills=2, latest=LATEST_OF_SHORT, seed=1)
    require_whole(workspace, [untouched, *runs])


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_200_kills_of_the_worker_lose_nothing(workspace, jobs):
    dataset = import_coloured(workspace, COLOURS)
    require_whole(workspace, kill_often(jobs, workspace, dataset, CONFIG, kills=200, latest=LATEST_KILL, seed=2))


def grown_by(jobs, workspace, dataset, trainings):
    """Bytes that the worker's own memory has grown by after the first two trainings."""
    used = []
    for number in range(trainings):
        run_id = create_run(workspace, replace(QUICK, seed=number), dataset).id
        jobs.submit(run_id)
        wait_until_idle(jobs, PATIENCE)
        run = find_run(workspace, run_id)
        assert run.status == "done"
        used.append(psutil.Process(run.owner.pid).memory_full_info().uss)
    return used[-1] - used[1]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_50_trainings_leave_little_memory_in_the_worker(workspace, jobs):
    dataset = import_coloured(workspace, COLOURS)
    assert grown_by(jobs, workspace, dataset, 50) < 48 * GROWTH_OF_A_TRAINING + ALLOCATOR
