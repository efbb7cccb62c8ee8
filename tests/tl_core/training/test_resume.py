"""A training whose process was killed goes on from its last saved epoch."""

import os
import subprocess
import sys
import time

import pytest

from tests.tl_core.small_trainings import Trained
from tl_core.runs import create_run, load_run, read_events
from tl_core.runs.record import CHECKPOINT_FILE
from tl_core.runs.store import with_more_epochs
from tl_core.training import extend, resume, train
from tl_core.training.callbacks import backup

EPOCHS = {"epochs": 8, "frozen_layers": 15, "fine_tune_epochs": 3, "fine_tune_learning_rate": 1e-4}

KILLED = """
import sys
from pathlib import Path
from tl_core.runs import load_run
from tl_core.training import train
from tl_core.training.callbacks import backup

backup.CHECKPOINT_INTERVAL = 0.0
run = load_run(Path(sys.argv[1]))
train(run.config, Path(sys.argv[2]), run.path, lambda: False)
"""


def wait_for_epoch(path, epoch, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        told = [event["epoch"] for event in read_events(path / "events.jsonl") if event["kind"] == "epoch"]
        if told and told[-1] >= epoch and (path / CHECKPOINT_FILE).exists():
            return
    raise AssertionError("the epoch was not reached")


@pytest.mark.parametrize(
    "killed_in", [pytest.param(3, id="feature extraction", marks=pytest.mark.slow), pytest.param(9, id="fine-tuning")]
)
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(train_run, workspace, dataset, killed_in):
    expected = train_run(dataset, **EPOCHS)
    run = create_run(workspace, expected.record.config, dataset)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(run.path), str(dataset.path)], stderr=subprocess.DEVNULL
    )
    record = load_run(run.path)
    wait_for_epoch(run.path, killed_in, process)
    os.kill(process.pid, 9)
    process.wait()
    record = load_run(run.path)
    assert record.status == "interrupted"

    compared = []
    resume(record.config, dataset.path, run.path, lambda: compared.append(1) and False)
    again = Trained(run.path)
    assert again.record.status == "done"
    assert [event["epoch"] for event in again.epochs] == list(range(1, 12))
    assert again.curve("val_loss") == pytest.approx(expected.curve("val_loss"), abs=1e-3)
    assert any(note.startswith("Going on with epoch") for note in again.notes)


def test_a_damaged_checkpoint_begins_the_training_anew(workspace, train_run, dataset, monkeypatch):
    monkeypatch.setattr(backup, "CHECKPOINT_INTERVAL", 0.0)
    config = train_run(dataset, epochs=2).record.config
    run = create_run(workspace, config, dataset)

    def die(path):
        if (run.path / CHECKPOINT_FILE).exists():
            raise SystemExit

    with pytest.raises(SystemExit):
        train(config, dataset.path, run.path, lambda: die(run.path) or False)
    file = run.path / CHECKPOINT_FILE
    file.write_bytes(file.read_bytes()[:1000])
    resume(config, dataset.path, run.path, lambda: False)
    again = Trained(run.path)
    assert again.record.status == "done"
    assert [event["epoch"] for event in again.epochs] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("tuned", [False, True], ids=["feature extraction", "fine-tuning"])
def test_more_epochs_are_as_if_the_run_had_not_ended(train_run, dataset, tuned):
    phases = {"frozen_layers": 15, "epochs": 3, "fine_tune_epochs": 2} if tuned else {"epochs": 4}
    settings = {**phases, "schedule": "constant", "learning_rate": 1e-3, "fine_tune_learning_rate": 1e-4}
    run = train_run(dataset, **settings)
    assert run.record.can_go_on
    longer = with_more_epochs(run.record, 3)
    extend(longer, dataset.path, run.record.path, lambda: False)
    again = Trained(run.record.path)
    name = "fine_tune_epochs" if tuned else "epochs"
    expected = train_run(dataset, **{**settings, name: settings[name] + 3})
    assert again.record.status == "done"
    assert [event["epoch"] for event in again.epochs] == [event["epoch"] for event in expected.epochs]
    assert again.curve("val_loss") == pytest.approx(expected.curve("val_loss"), abs=1e-4)
    assert again.record.best.epoch == expected.record.best.epoch
    assert again.record.can_go_on


def test_a_last_epoch_that_is_too_large_is_not_kept(train_run, dataset, monkeypatch):
    monkeypatch.setattr(backup, "MAX_LAST_CHECKPOINT", 1000)
    assert not train_run(dataset, epochs=2).record.can_go_on
