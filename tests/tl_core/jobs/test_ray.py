"""Trainings on a real Ray cluster of two nodes on this machine: placed, stopped, cancelled, and a node that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.tl_core.jobs.cluster import SmallCluster
from tests.tl_core.jobs.waiting import PATIENCE, wait_until, wait_until_idle
from tests.tl_core.small_trainings import COLOURS, LONG, QUICK, Trained, Trainer, import_coloured
from tl_core.command_line import main
from tl_core.jobs import JobManager
from tl_core.jobs.runners import ray_cluster
from tl_core.jobs.runners.ray_cluster import ADDRESS
from tl_core.jobs.runners.ray_runner import RayRunner
from tl_core.runs import create_run, find_run, list_runs
from tl_core.runs.node_report import report_of
from tl_core.storage.files import write_json
from tl_core.storage.workspace import Workspace

pytestmark = pytest.mark.timeout(300)

REPOSITORY = Path(__file__).resolve().parents[3]
ENDS_WITHIN = 10.0  # seconds
# Some seconds of work, most of which are epochs of fine-tuning.
CHANGES = {"epochs": 3, "frozen_layers": 0, "fine_tune_epochs": 12, "fine_tune_learning_rate": 1e-5}
CONFIG = replace(QUICK, **CHANGES)
EPOCHS = list(range(1, 16))


@pytest.fixture(scope="module")
def cluster():
    found = SmallCluster(nodes=2)
    yield found
    found.shutdown()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("cluster")).ensure()


@pytest.fixture(scope="module")
def dataset(workspace):
    return import_coloured(workspace, COLOURS)


@pytest.fixture(scope="module")
def alone(workspace, dataset):
    """The validation losses of a training with nothing beside it."""
    return Trainer(workspace)(dataset, **CHANGES).curve("val_loss")


@pytest.fixture(scope="module")
def jobs(cluster, workspace):
    runner = RayRunner(cluster.address)
    yield JobManager(workspace, runner)
    runner.close()


def submitted(jobs, workspace, dataset, config=CONFIG):
    run = create_run(workspace, config, dataset)
    jobs.submit(run.id)
    return run.id


def trained(workspace, run_id):
    """How many epochs a run has told of."""
    return len(Trained(workspace.runs / run_id).epochs)


def require_as_alone(workspace, run_id, alone):
    run = Trained(workspace.runs / run_id)
    assert run.record.status == "done", run.record.interruption or run.record.error
    assert [event["epoch"] for event in run.epochs] == EPOCHS, "none is lost, none is there twice"
    assert run.curve("val_loss") == pytest.approx(alone, abs=1e-3)


@pytest.mark.slow
def test_two_nodes_train_at_a_time_and_the_work_of_one_that_dies_goes_on(jobs, cluster, workspace, dataset, alone):
    first, second = (submitted(jobs, workspace, dataset) for _ in range(2))
    wait_until(lambda: min(trained(workspace, first), trained(workspace, second)) > 4)
    before = [find_run(workspace, run_id) for run_id in (first, second)]
    assert before[0].owner.pid != before[1].owner.pid
    assert report_of(before[0]).node == before[0].owner.host
    cluster.kill_node_of(workspace, first)
    wait_until_idle(jobs)
    for run_id in (first, second):
        require_as_alone(workspace, run_id, alone)
    after = Trained(workspace.runs / first)
    assert after.record.owner.pid != before[0].owner.pid
    assert [note for note in after.notes if "goes on from the last saved epoch" in note]
    assert Trained(workspace.runs / second).record.owner == before[1].owner


@pytest.mark.long
def test_stop_keeps_the_best_epoch_and_cancel_throws_away(jobs, workspace, dataset):
    first, second = (submitted(jobs, workspace, dataset, LONG) for _ in range(2))
    wait_until(lambda: find_run(workspace, first).has_model and trained(workspace, second))
    process = psutil.Process(find_run(workspace, second).owner.pid)
    jobs.stop(first)
    jobs.cancel(second)
    wait_until_idle(jobs)
    run = find_run(workspace, first)
    assert run.status == "stopped"
    assert run.has_model
    assert not (workspace.runs / second).exists()
    wait_until(lambda: not process.is_running())


@pytest.fixture
def settings(cluster, workspace, monkeypatch):
    """A file with the settings of a training, by what they are, and the cluster in the environment."""
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    monkeypatch.setenv(ADDRESS, cluster.address)

    def write(config):
        file = workspace.root / "settings.json"
        write_json(file, config.to_file())
        return str(file)

    return write


def command(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "tl_core", *words, "--runner", "ray"],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_the_command_ends_with_a_sentence_when_its_process_dies_and_resume_goes_on(workspace, dataset, settings):
    before = {run.id for run in list_runs(workspace)}
    training = command("train", "--data", dataset.id, "--config", settings(LONG))
    try:
        wait_until(lambda: any(run.has_model for run in list_runs(workspace) if run.id not in before))
        (run,) = (run for run in list_runs(workspace) if run.id not in before)
        assert run.owner.pid != training.pid
        assert run.owner.host
        began = time.monotonic()
        os.kill(run.owner.pid, signal.SIGKILL)
        _, errors = training.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < ENDS_WITHIN
        assert training.returncode == 1
        assert "press Resume" in errors
        assert find_run(workspace, run.id).status == "interrupted"

        told = trained(workspace, run.id)
        resumed = command("resume", run.id)
        wait_until(lambda: trained(workspace, run.id) > told)
        resumed.send_signal(signal.SIGINT)
        resumed.communicate(timeout=PATIENCE)
        assert resumed.returncode == 130
        epochs = [event["epoch"] for event in Trained(run.path).epochs]
        assert epochs == list(range(1, len(epochs) + 1))
    finally:
        training.kill()


def test_the_doctor_has_every_node_work_in_the_workspace(workspace, settings, capsys, monkeypatch):
    versions = ray_cluster.compared_versions()

    def findings():
        main(["doctor", "--json"])
        found = json.loads(capsys.readouterr().out.splitlines()[-1])["findings"]
        return [finding for finding in found if finding["name"].startswith("cluster")]

    assert [finding["ok"] for finding in findings()] == [True] * 3
    assert not list(workspace.root.glob(".cluster-*")), "nothing is left behind"
    monkeypatch.setattr(ray_cluster, "compared_versions", lambda: {**versions, "keras": "1.0"})
    for finding in findings():
        assert not finding["ok"]
        assert f"has keras {versions['keras']} in place of 1.0: install the same versions there" in finding["advice"]


@pytest.mark.slow
def test_a_connection_that_is_lost_interrupts_its_runs_alone(jobs, workspace, dataset):
    first = submitted(jobs, workspace, dataset, LONG)
    wait_until(lambda: trained(workspace, first))
    trains = psutil.Process(find_run(workspace, first).owner.pid)
    (speaks,) = (child for child in psutil.Process().children() if "ray_process" in " ".join(child.cmdline()))
    speaks.kill()
    wait_until_idle(jobs)
    run = find_run(workspace, first)
    assert run.status == "interrupted"
    assert "The connection to the cluster" in run.interruption
    wait_until(lambda: not trains.is_running())
    second = submitted(jobs, workspace, dataset, QUICK)
    wait_until_idle(jobs)
    assert find_run(workspace, second).status == "done"


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_runs_over_two_nodes_end_as_alone_though_one_is_killed(jobs, cluster, workspace, dataset, alone):
    runs = [submitted(jobs, workspace, dataset) for _ in range(10)]
    wait_until(lambda: sum(find_run(workspace, run_id).status == "done" for run_id in runs) >= 3, 600)
    wait_until(lambda: any(find_run(workspace, run_id).status == "running" for run_id in runs))
    working = next(run_id for run_id in runs if find_run(workspace, run_id).status == "running")
    wait_until(lambda: trained(workspace, working) > 4)
    cluster.kill_node_of(workspace, working)
    wait_until_idle(jobs, 900)
    for run_id in runs:
        require_as_alone(workspace, run_id, alone)
