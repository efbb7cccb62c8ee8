"""Stop at any moment: the training reports it within 2 s or one batch, the best epoch is kept, none is stuck."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.faults.killed_trainings import damage_of
from tests.faults.stopped_trainings import BEFORE_THE_FIRST_BATCH, STAGES, Stop, stop_in
from tests.tl_core.small_trainings import Trained
from tl_core.runs import load_run, update_run
from tl_core.runs.record import CHECKPOINT_FILE
from tl_core.training import result, resume
from tl_core.training.callbacks import best_model

WITHIN = 2.0  # seconds
NOTICED = 0.5  # seconds until the report is read, where one step takes longer than 2 s
SPAN = 0.25  # seconds after a stage began


def require_kept(stop: Stop) -> None:
    """It has ended, well if it had learned anything, and its best epoch is a model that can be used."""
    run = stop.run.record
    assert not stop.stuck
    assert run.status in ("stopped", "done")
    assert damage_of(run) is None
    assert run.has_model == bool(stop.run.epochs)
    if run.best is not None:
        assert run.best.val_loss == pytest.approx(stop.told_best, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stop_in_every_stage_ends_the_training(workspace, dataset, stage):
    stop = stop_in(workspace, dataset, stage, random.Random(STAGES.index(stage)).uniform(0, SPAN / 2))
    require_kept(stop)
    assert stop.seconds is not None
    assert stop.seconds <= max(WITHIN, stop.longest + NOTICED)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_100_stops_at_random_moments_end_the_training(workspace, dataset, say):
    chance = random.Random(5)
    stops = [stop_in(workspace, dataset, STAGES[turn % len(STAGES)], chance.uniform(0, SPAN)) for turn in range(120)]
    asked = [stop for stop in stops if stop.stage != "ended"]
    for stop in asked:
        require_kept(stop)
    seconds = sorted(stop.seconds for stop in asked)
    stages = Counter(stop.stage for stop in asked)
    say(f"{len(asked)} stops, {sum(stop.run.record.has_model for stop in asked)} with a model; {dict(stages)}")
    say(f"said after {seconds[len(seconds) // 2]:.2f} s (median), {seconds[-1]:.2f} s at most; longest step "
        f"{max(stop.longest for stop in asked):.2f} s")  # fmt: skip
    assert len(asked) >= 100
    assert sum(stages[stage] for stage in BEFORE_THE_FIRST_BATCH) >= 10
    assert all(stages[stage] for stage in STAGES[:4])
    assert stages["evaluate"] + stages["save"] >= 5
    assert all(stop.seconds <= max(WITHIN, stop.longest + NOTICED) for stop in asked)


@pytest.mark.slow
def test_a_training_that_ignores_a_stop_is_noticed(workspace, dataset):
    stop = stop_in(workspace, dataset, "head", 0.0, heard=False)
    assert stop.run.record.status == "done"
    assert not any(note.startswith("Stopped") for note in stop.run.notes)


def test_a_long_measurement_is_skipped_once_a_stop_is_requested(train_run, dataset, monkeypatch):
    monkeypatch.setattr(result, "MEASURED_AFTER_STOP", 0.0)
    run = train_run(dataset, lambda path: (path / CHECKPOINT_FILE).exists(), epochs=1)
    assert run.record.status == "done"
    assert any("not measured any further" in note for note in run.notes)
    assert damage_of(run.record) is None
    assert not list(run.folder.path.glob("evaluation-*"))


@pytest.mark.slow
@pytest.mark.parametrize("interval", [0.0, 1e9], ids=["its model is there", "it is in the checkpoint alone"])
def test_a_stop_before_a_resumed_run_goes_on_keeps_its_best_epoch(
    workspace, train_run, dataset, monkeypatch, interval
):
    """It is known, but the model in memory does not have its weights yet."""
    monkeypatch.setattr(best_model, "MODEL_INTERVAL", interval)

    def told(path):
        return len(Trained(path).epochs)

    def dies(path):
        if told(path) >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(dataset, dies, epochs=500, learning_rate=1e-3)
    path = train_run.path
    update_run(path, owner=None)
    left = load_run(path)
    assert left.status == "interrupted"
    resume(left.config, dataset.path, path, lambda: True)
    stopped = load_run(path)
    assert stopped.status == ("interrupted" if interval else "stopped")
    assert stopped.best == left.best
    assert damage_of(stopped) is None
    if interval:
        resume(left.config, dataset.path, path, lambda: told(path) >= 6)
        assert load_run(path).status == "stopped"
        assert damage_of(load_run(path)) is None
