"""kill -9 at random moments: the model stays readable, the run is shown as interrupted, at most one epoch is lost."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from tests.faults.killed_trainings import (
    DIES_AT,
    Kill,
    Killer,
    damage_of,
    die_after_replacing,
    die_after_replacing_unannounced,
    train_writing_in_place,
)
from tests.tl_core.small_trainings import QUICK, Trained
from tl_core.runs import create_run, load_run, update_run
from tl_core.runs.record import Owner
from tl_core.storage.files import WRITING

CHANGES = {"epochs": 10, "learning_rate": 1e-3, "schedule": "constant"}  # nearly every epoch is better
CONFIG = replace(QUICK, **CHANGES)
INTERRUPTED_WITHIN = 2.0  # seconds


def kill_often(killer: Killer, times: int) -> list[Kill]:
    """In turns soon after a run has begun to write its model, and at any time in its first half."""
    whole = killer.seconds_of_a_run()
    epoch = whole / CONFIG.epochs
    return [
        killer.kill(epoch, in_write=True) if turn % 2 == 0 else killer.kill(whole / 2) for turn in range(times)
    ]  # fmt: skip


def require_nothing_lost(kills: list[Kill], killer: Killer, expected: Trained) -> None:
    """Every kill left a good model and at most one epoch to be trained again; every run came to the same end."""
    assert [kill.damage for kill in kills if kill.damage] == []
    assert max(kill.seconds for kill in kills) < INTERRUPTED_WITHIN
    assert max(kill.told - kill.kept for kill in kills) <= 1
    assert killer.done
    for run in map(Trained, [record.path for record in killer.done]):
        assert run.record.status == "done"
        assert [event["epoch"] for event in run.epochs] == list(range(1, CONFIG.epochs + 1))
        assert run.curve("val_loss") == pytest.approx(expected.curve("val_loss"), abs=1e-3)
        assert not list(run.record.path.glob(f"{WRITING}*")), "what the killed left is removed"


@pytest.mark.slow
def test_a_few_kills_lose_nothing(workspace, dataset, train_run):
    expected = train_run(dataset, **CHANGES)
    killer = Killer(workspace, dataset, CONFIG, seed=1)
    kills = [*kill_often(killer, 2), killer.kill(0.0, in_write=True)]
    killer.finish()
    require_nothing_lost(kills, killer, expected)
    assert any(kill.in_write for kill in kills)
    assert any(kill.went_on for kill in kills)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_200_kills_lose_nothing(workspace, dataset, train_run, say):
    expected = train_run(dataset, **CHANGES)
    killer = Killer(workspace, dataset, CONFIG, seed=2)
    kills = kill_often(killer, 200)
    killer.finish()
    in_write, went_on = (sum(getattr(kill, name) for kill in kills) for name in ("in_write", "went_on"))
    lost = sum(kill.told - kill.kept for kill in kills)
    say(f"{in_write} in a write, {went_on} had been resumed, {lost} epochs lost, {len(killer.done)} runs done")
    say(f"read as interrupted after {max(kill.seconds for kill in kills):.3f} s at most")
    require_nothing_lost(kills, killer, expected)
    assert in_write >= 20
    assert went_on >= 20


@pytest.mark.slow
def test_the_same_kills_destroy_a_model_that_is_written_in_place(workspace, dataset):
    killer = Killer(workspace, dataset, CONFIG, seed=3)
    kill = killer.kill(0.0, in_write=True, train=train_writing_in_place)
    assert kill.damage


@pytest.mark.slow
@pytest.mark.parametrize(("train", "safe"), [(die_after_replacing, True), (die_after_replacing_unannounced, False)])
def test_a_kill_between_a_model_and_its_record_harms_neither(workspace, dataset, train, safe):
    """Both cannot change at once; without the announcement of the model that comes, the record is wrong."""
    killer = Killer(workspace, dataset, CONFIG, seed=4)
    found = killer.let_die(train)
    assert found.has_model
    assert (damage_of(found) is None) == safe
    assert found.best is not None
    assert (found.best.epoch == DIES_AT) == safe


def test_a_zombie_process_does_not_keep_a_run_alive(workspace, dataset):
    run = create_run(workspace, CONFIG, dataset)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner(pid=process.pid, started=psutil.Process(process.pid).create_time())
    update_run(run.path, status="running", owner=owner)
    assert load_run(run.path).status == "running"
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert load_run(run.path).status == "interrupted"
    process.wait()
