"""More epochs, or the rest of those that were planned: what is asked for is what is trained, and what is recorded."""

from __future__ import annotations

import pytest

from tests.tl_core.jobs.waiting import wait_until_idle
from tests.tl_core.small_trainings import Trained
from tl_core.errors import WorkspaceError
from tl_core.jobs import JobManager, manager
from tl_core.runs import load_run, read_events
from tl_core.runs.progress import planned_end, trained_config

PATIENCE = 120  # seconds
TWO_PHASES = {"epochs": 6, "frozen_layers": 15, "fine_tune_epochs": 3, "fine_tune_learning_rate": 1e-4}


@pytest.fixture
def jobs(workspace) -> JobManager:
    return manager(workspace)


def told(path):
    return [(event["phase"], event["epoch"]) for event in Trained(path).epochs]


def stopped_after(train_run, dataset, told_epochs, **settings):
    """A run that was stopped once so many epochs were told."""
    run = train_run(dataset, lambda path: len(told(path)) >= told_epochs, **settings)
    assert run.record.status == "stopped"
    return run


def ended(jobs, run):
    wait_until_idle(jobs, PATIENCE)
    return Trained(run.record.path)


def test_more_epochs_of_a_run_stopped_in_its_first_phase_are_of_that_phase_alone(train_run, dataset, jobs):
    run = stopped_after(train_run, dataset, 2, **TWO_PHASES)
    done = len(run.epochs)
    assert (trained_config(run.record).epochs, trained_config(run.record).fine_tune_epochs) == (done, 0)
    assert planned_end(run.record) == 9
    jobs.extend(run.record.id, 2)
    longer = ended(jobs, run)
    assert longer.record.status == "done"
    assert told(run.record.path) == [("head", epoch) for epoch in range(1, done + 3)]
    assert longer.record.config.epochs == done + 2
    assert longer.record.config.fine_tune_epochs == 0, "the record says what was trained"


@pytest.mark.slow
def test_more_epochs_of_a_run_stopped_in_its_second_phase_are_of_that_phase(train_run, dataset, jobs):
    run = stopped_after(train_run, dataset, 7, **TWO_PHASES)
    tuned = len(run.epochs) - 6
    jobs.extend(run.record.id, 2)
    longer = ended(jobs, run)
    assert told(run.record.path)[6:] == [("fine_tune", epoch) for epoch in range(7, 7 + tuned + 2)]
    assert (longer.record.config.epochs, longer.record.config.fine_tune_epochs) == (6, tuned + 2)


@pytest.mark.slow
@pytest.mark.parametrize("stopped_in", [2, 7], ids=["first phase", "second phase"])
def test_a_stopped_run_goes_on_to_its_planned_end(train_run, dataset, jobs, stopped_in):
    run = stopped_after(train_run, dataset, stopped_in, **TWO_PHASES)
    jobs.resume(run.record.id)
    whole = ended(jobs, run)
    expected = train_run(dataset, **TWO_PHASES)
    assert whole.record.status == "done"
    assert whole.record.config == run.record.config
    assert told(run.record.path) == told(expected.record.path)
    assert whole.curve("val_loss") == pytest.approx(expected.curve("val_loss"), abs=1e-3)
    assert whole.curve("learning_rate") == pytest.approx(expected.curve("learning_rate"), rel=1e-3)


def test_a_run_that_is_done_has_nothing_to_go_on_to(train_run, dataset, jobs):
    with pytest.raises(WorkspaceError, match="nothing to resume"):
        jobs.resume(train_run(dataset, epochs=1).record.id)


@pytest.mark.slow
def test_with_all_layers_frozen_by_number_more_epochs_learn(train_run, dataset, jobs):
    run = train_run(dataset, epochs=3, frozen_layers=19, fine_tune_epochs=2, schedule="cosine")
    jobs.extend(run.record.id, 3)
    longer = ended(jobs, run)
    assert told(run.record.path) == [("head", epoch) for epoch in range(1, 7)]
    assert (longer.record.config.epochs, longer.record.config.fine_tune_epochs) == (6, 0)
    rates = longer.curve("learning_rate")
    assert min(rates[3:]) > 0.05 * run.record.config.learning_rate
    planned = train_run(dataset, epochs=6, schedule="cosine").curve("learning_rate")
    assert rates[3:] == pytest.approx(planned[3:], rel=1e-3), "as if six had been planned"


def test_epochs_left_out_by_early_stopping_are_not_counted(train_run, dataset, jobs):
    settings = {"epochs": 60, "early_stopping_patience": 1, "schedule": "constant", "learning_rate": 0.3}
    run = train_run(dataset, **settings)
    done = len(run.epochs)
    assert done < 60
    jobs.extend(run.record.id, 1)
    longer = ended(jobs, run)
    assert len(longer.epochs) == done + 1
    assert longer.record.config.epochs == done + 1


def test_a_resumed_run_whose_phase_had_ended_early_begins_the_next_phase(train_run, dataset, jobs, monkeypatch):
    settings = {
        **TWO_PHASES,
        "epochs": 60,
        "early_stopping_patience": 1,
        "schedule": "constant",
        "learning_rate": 0.3,
    }

    def in_between(path):
        events = read_events(load_run(path).folder.events_file)
        return any("ends early" in event.get("text", "") for event in events)

    run = train_run(dataset, in_between, **settings)
    before = told(run.record.path)
    assert {phase for phase, _ in before} == {"head"}
    jobs.resume(run.record.id)
    ended(jobs, run)
    after = told(run.record.path)
    assert [phase for phase, _ in after].count("head") == len(before)
    assert [phase for phase, _ in after].count("fine_tune") >= 1
