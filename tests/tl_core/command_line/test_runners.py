"""Training from the command line in a worker process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tl_core.jobs.waiting import PATIENCE, wait_until
from tests.tl_core.small_trainings import LONG, QUICK, Trained
from tl_core.command_line import main
from tl_core.runs import create_run, find_run, list_runs, update_run
from tl_core.storage.files import write_json

REPOSITORY = Path(__file__).resolve().parents[3]
ENDS_WITHIN = 10.0  # seconds


@pytest.fixture
def settings(workspace, monkeypatch):
    """A file with the settings of a training, by what they are."""
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))

    def write(config):
        file = workspace.root / "settings.json"
        write_json(file, config.to_file())
        return str(file)

    return write


@pytest.mark.slow
def test_a_worker_process_trains_as_this_process_does(workspace, dataset, settings, capsys):
    found = {}
    for runner in ("here", "worker"):
        words = ["train", "--json", "--data", dataset.id, "--config", settings(QUICK), "--runner", runner]
        assert main(words) == 0
        found[runner] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["worker"].keys() == found["here"].keys()
    assert found["worker"]["val_loss"] == pytest.approx(found["here"]["val_loss"], abs=1e-5)
    owners = {runner: find_run(workspace, values["run_id"]).owner.pid for runner, values in found.items()}
    assert owners["here"] == os.getpid()
    assert owners["worker"] != os.getpid()


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["here", "worker"])
def test_a_training_that_cannot_go_on_says_why_wherever_it_runs(workspace, dataset, settings, capsys, runner):
    run = create_run(workspace, QUICK, dataset)
    update_run(run.path, status="interrupted", owner=None, dataset_id="gone")
    assert main(["resume", run.id, "--runner", runner]) == 2
    assert "gone" in find_run(workspace, run.id).error or "dataset" in find_run(workspace, run.id).error
    assert find_run(workspace, run.id).error in capsys.readouterr().err


def command(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "tl_core", *words, "--runner", "worker"],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_ends_with_a_sentence_when_its_worker_dies_and_resume_goes_on(workspace, dataset, settings):
    before = {run.id for run in list_runs(workspace)}
    training = command("train", "--data", dataset.id, "--config", settings(LONG))
    try:
        wait_until(lambda: any(Trained(run.path).epochs for run in list_runs(workspace) if run.id not in before))
        (run,) = (run for run in list_runs(workspace) if run.id not in before)
        assert run.owner.pid != training.pid
        began = time.monotonic()
        os.kill(run.owner.pid, signal.SIGKILL)
        _, errors = training.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < ENDS_WITHIN
        assert training.returncode == 1
        assert "press Resume" in errors
        assert find_run(workspace, run.id).status == "interrupted"

        told = len(Trained(run.path).epochs)
        resumed = command("resume", run.id)
        wait_until(lambda: len(Trained(run.path).epochs) > told)
        resumed.send_signal(signal.SIGINT)
        resumed.communicate(timeout=PATIENCE)
        assert resumed.returncode == 130
        assert find_run(workspace, run.id).status == "stopped"
    finally:
        training.kill()
