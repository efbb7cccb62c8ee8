"""A run that another machine trains: who works on it, and when it counts as cut off."""

from __future__ import annotations

import os
import time

import pytest

from tests.tl_core.runs.conftest import FakeDataset
from tl_core.config import TrainingConfig
from tl_core.machine.hardware import current_load
from tl_core.runs import create_run, find_run, update_run
from tl_core.runs.node_report import GONE_AFTER, NodeReport, report_of, write_report
from tl_core.runs.record import Owner
from tl_core.runs.store import this_process
from tl_core.storage.workspace import Workspace

ELSEWHERE = Owner(pid=1, started=1.0, host="lab-2")


@pytest.fixture
def run(tmp_path):
    return create_run(Workspace(tmp_path).ensure(), TrainingConfig(), FakeDataset())


def reported(run, seconds_ago, owner=ELSEWHERE):
    """The run as it reads after a report so many seconds ago."""
    write_report(run.folder, NodeReport(time.time() - seconds_ago, owner, "lab-2", "NVIDIA H200", current_load()))
    update_run(run.path, status="running", owner=ELSEWHERE)
    return find_run(run.workspace, run.id)


def test_it_works_as_long_as_its_node_reports(run):
    found = reported(run, seconds_ago=1)
    assert found.status == "running"
    assert report_of(found).device == "NVIDIA H200"
    assert reported(run, seconds_ago=GONE_AFTER + 1).status == "interrupted"


def test_a_report_of_an_earlier_attempt_does_not_count(run):
    found = reported(run, seconds_ago=1, owner=Owner(pid=2, started=1.0, host="lab-1"))
    assert report_of(found) is None
    assert found.status == "interrupted"


def test_a_damaged_report_is_none(run):
    found = reported(run, seconds_ago=1)
    found.folder.node_file.write_text('{"t": 1}')
    assert report_of(found) is None


def test_a_record_says_which_machine_and_process_has_it(run):
    assert run.owner == this_process()
    assert run.owner.pid == os.getpid()
    assert run.owner.host == os.uname().nodename
