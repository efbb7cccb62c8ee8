"""Trainings in real worker processes: stopped, cancelled, killed, and the processes themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.tl_core.jobs.waiting import PATIENCE, wait_until, wait_until_idle
from tests.tl_core.small_trainings import COLOURS, LONG, QUICK, Trained, import_coloured
from tl_core.jobs import JobManager, supervisor
from tl_core.jobs.runners.worker import KILLED, WorkerRunner
from tl_core.machine.priority import NICENESS
from tl_core.runs import create_run, find_run, read_events
from tl_core.storage.workspace import Workspace

pytestmark = pytest.mark.timeout(300)

REPOSITORY = Path(__file__).resolve().parents[3]
# Seconds; on a quiet machine 0.5 and 2, and here other tests run beside.
CANCELLED_WITHIN = 3.0
INTERRUPTED_WITHIN = 6.0
GONE_WITHIN = 10.0
ROOM = 300 << 20  # bytes of address space that a training may take
GREEDY = replace(
    QUICK, image_size=224, batch_size=32, frozen_layers=0, fine_tune_epochs=1, fine_tune_learning_rate=1e-5
)  # some gigabytes


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("workers")).ensure()


@pytest.fixture(scope="module")
def dataset(workspace):
    return import_coloured(workspace, COLOURS)


@pytest.fixture(scope="module")
def jobs(workspace):
    runner = WorkerRunner(slots=1)
    yield JobManager(workspace, runner)
    runner.close()


def submitted(jobs, workspace, dataset, config=QUICK):
    run = create_run(workspace, config, dataset)
    jobs.submit(run.id)
    return run.id


def at_work(jobs, workspace, dataset):
    """A long training that has a model, in its second phase."""
    run_id = submitted(jobs, workspace, dataset, LONG)
    wait_until(lambda: any(event["phase"] == "fine_tune" for event in Trained(workspace.runs / run_id).epochs))
    return run_id


def test_one_warm_process_trains_one_run_after_the_other(jobs, workspace, dataset):
    first, second = (submitted(jobs, workspace, dataset) for _ in range(2))
    wait_until_idle(jobs)
    runs = [find_run(workspace, run_id) for run_id in (first, second)]
    assert [run.status for run in runs] == ["done", "done"]
    assert runs[0].owner == runs[1].owner
    assert runs[0].owner.pid != os.getpid()
    assert runs[0].started <= runs[0].finished <= runs[1].started
    assert psutil.Process(runs[0].owner.pid).nice() == NICENESS
    assert runs[0].waiting is None


def test_stop_keeps_the_best_epoch(jobs, workspace, dataset):
    run_id = at_work(jobs, workspace, dataset)
    assert jobs.stop(run_id)
    assert jobs.job(run_id).stopping
    wait_until_idle(jobs)
    run = find_run(workspace, run_id)
    assert run.status == "stopped"
    assert run.has_model
    assert run.resumable


def test_cancel_ends_it_whatever_it_is_doing(jobs, workspace, dataset):
    run_id = at_work(jobs, workspace, dataset)
    os.kill(find_run(workspace, run_id).owner.pid, signal.SIGSTOP)  # it can hear nothing
    began = time.monotonic()
    jobs.cancel(run_id)
    wait_until_idle(jobs)
    assert time.monotonic() - began < CANCELLED_WITHIN
    assert not (workspace.runs / run_id).exists()


@pytest.mark.slow
def test_a_killed_process_interrupts_its_run_alone(jobs, workspace, dataset):
    first, second = at_work(jobs, workspace, dataset), submitted(jobs, workspace, dataset)
    killed = find_run(workspace, first).owner
    began = time.monotonic()
    os.kill(killed.pid, signal.SIGKILL)
    wait_until(lambda: find_run(workspace, first).interruption)
    assert time.monotonic() - began < INTERRUPTED_WITHIN
    run = find_run(workspace, first)
    assert run.status == "interrupted"
    assert KILLED in run.interruption
    assert "press Resume" in run.interruption
    wait_until(lambda: first not in [job.run_id for job in jobs.jobs()])
    assert read_events(run.folder.events_file)[-1]["status"] == "interrupted"
    wait_until_idle(jobs)
    after = find_run(workspace, second)
    assert after.status == "done", "what waits goes on in a new process"
    assert after.owner != killed

    told = [event["epoch"] for event in Trained(run.path).epochs]
    jobs.resume(first)
    wait_until(lambda: len(Trained(run.path).epochs) > len(told))
    jobs.stop(first)
    wait_until_idle(jobs)
    epochs = [event["epoch"] for event in Trained(run.path).epochs]
    assert epochs == list(range(1, len(epochs) + 1)), "none is lost, none is there twice"


@pytest.mark.slow
def test_a_process_that_is_killed_at_the_moment_of_a_start_is_replaced(jobs, workspace, dataset):
    first = submitted(jobs, workspace, dataset)
    wait_until_idle(jobs)
    idle = psutil.Process(find_run(workspace, first).owner.pid)
    idle.kill()
    second = submitted(jobs, workspace, dataset)
    wait_until_idle(jobs)
    assert find_run(workspace, second).status == "done"


def test_an_error_of_a_training_is_its_run_s_alone(jobs, workspace, dataset):
    wrong = create_run(workspace, replace(QUICK, frozen_layers=500), dataset)
    jobs.submit(wrong.id)
    second = submitted(jobs, workspace, dataset)
    wait_until_idle(jobs)
    run = find_run(workspace, wrong.id)
    assert run.status == "failed"
    assert "500" in run.error
    assert find_run(workspace, second).status == "done"


@pytest.mark.slow
def test_a_training_that_fills_the_memory_takes_its_run_alone(jobs, workspace, dataset):
    before = submitted(jobs, workspace, dataset)
    wait_until_idle(jobs)
    process = psutil.Process(find_run(workspace, before).owner.pid)
    process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + ROOM, -1))
    full = submitted(jobs, workspace, dataset, GREEDY)
    second = submitted(jobs, workspace, dataset)
    wait_until_idle(jobs)
    run = find_run(workspace, full)
    assert run.status in ("failed", "interrupted")
    said = run.error or run.interruption
    assert "memory is not enough" in said or "press Resume" in said
    assert find_run(workspace, second).status == "done"


@pytest.mark.slow
def test_a_process_that_has_trained_is_replaced_after_some_idle_minutes(workspace, dataset, monkeypatch):
    monkeypatch.setattr(supervisor, "REST_AFTER", 1.0)
    runner = WorkerRunner(slots=1)
    jobs = JobManager(workspace, runner)
    try:
        first = submitted(jobs, workspace, dataset)
        wait_until_idle(jobs)
        used = psutil.Process(find_run(workspace, first).owner.pid)
        wait_until(lambda: not used.is_running())
        second = submitted(jobs, workspace, dataset)
        wait_until_idle(jobs)
        assert find_run(workspace, second).status == "done"
    finally:
        runner.close()


DASHBOARD = """
import signal, sys, time
from pathlib import Path
from tl_core.jobs import manager
from tl_core.storage.workspace import Workspace
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
jobs = manager(Workspace(Path(sys.argv[1])))
jobs.submit(sys.argv[2])
print("submitted", flush=True)
while True:
    time.sleep(0.2)  # whichever thread the system hands a signal to, this one then acts on it
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "stuck"),
    [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGKILL, True)],
    ids=["killed", "terminated", "interrupted", "killed beside a process that hears nothing"],
)
def test_the_process_ends_with_the_program_that_started_it(workspace, dataset, end, stuck):
    run = create_run(workspace, LONG, dataset)
    command = [sys.executable, "-c", DASHBOARD, str(workspace.root), run.id]
    dashboard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY)
    try:
        wait_until(lambda: Trained(run.path).epochs)  # there is something to go on from
        worker = psutil.Process(find_run(workspace, run.id).owner.pid)
        if stuck:
            worker.send_signal(signal.SIGSTOP)
        dashboard.send_signal(end)
        dashboard.wait(PATIENCE)
        wait_until(lambda: not worker.is_running(), GONE_WITHIN)
    finally:
        dashboard.kill()
        dashboard.wait()
    after = find_run(workspace, run.id)
    assert after.status == "interrupted"
    assert after.resumable
