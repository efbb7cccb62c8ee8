"""What waits, on the Runs page: in its order, which the buttons change."""

from __future__ import annotations

import threading
import time

import pytest

from tests.tl_core.jobs.thread_runner import ThreadRunner
from tests.tl_core.jobs.waiting import wait_until_idle
from tests.ui.pages_without_browser import checked, open_page, texts
from tl_core.config import TrainingConfig
from tl_core.jobs import JobManager
from tl_core.machine.hardware import current_load
from tl_core.runs import create_run, find_run, update_run
from tl_core.runs.node_report import NodeReport, write_report

PAGE = "pages/3_Runs.py"
PATIENCE = 60  # seconds


@pytest.fixture
def queue(workspace, dataset, monkeypatch):
    """One training at work and two that wait; they end when the test does."""
    at_work, go_on = threading.Event(), threading.Event()

    def train(_config, _dataset, path, should_stop):
        update_run(path, status="running")
        at_work.set()
        while not (go_on.wait(0.01) or should_stop()):
            pass
        update_run(path, status="done")

    jobs = JobManager(workspace, ThreadRunner(train=train))
    monkeypatch.setattr("tl_core.jobs.queue._queue_of_this_process", lambda: jobs)
    for name in ("At work", "Second", "Third"):
        jobs.submit(create_run(workspace, TrainingConfig(), dataset, name).id)
    assert at_work.wait(PATIENCE)
    yield jobs
    go_on.set()
    wait_until_idle(jobs, PATIENCE)


def names(workspace, jobs):
    return [find_run(workspace, job.run_id).name for job in jobs.jobs()]


def button(at, run_id, action):
    return next(found for found in at.button if found.key == f"runs-waiting-{run_id}-{action}")


def test_what_waits_is_listed_in_its_order_and_can_be_moved(workspace, queue):
    at = open_page(PAGE)
    assert "2 trainings wait" in texts(at)
    _, second, third = (job.run_id for job in queue.jobs())
    assert button(at, second, -1).disabled
    assert button(at, third, 1).disabled
    checked(button(at, third, -1).click().run())
    assert names(workspace, queue) == ["At work", "Third", "Second"]


def test_what_waits_can_be_withdrawn(workspace, queue):
    at = open_page(PAGE)
    _, second, _ = (job.run_id for job in queue.jobs())
    checked(button(at, second, "withdraw").click().run())
    assert names(workspace, queue) == ["At work", "Third"]
    assert find_run(workspace, second).status == "stopped"
    assert "1 training waits" in texts(at)


def test_where_nothing_waits_nothing_is_said(workspace, queue):
    for job in queue.jobs()[1:]:
        queue.cancel(job.run_id)
    assert "wait" not in texts(open_page(PAGE))


def test_the_machine_of_a_cluster_that_trains_is_named_with_its_load(workspace, queue):
    run = find_run(workspace, queue.jobs()[0].run_id)
    assert "on **" not in texts(open_page(PAGE))
    write_report(run.folder, NodeReport(time.time(), run.owner, "lab2", "NVIDIA H200", current_load()))
    assert "At work on **lab2** (NVIDIA H200): CPU" in texts(open_page(PAGE))
