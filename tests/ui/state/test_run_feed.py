"""Following the events of a run."""

from dataclasses import replace

import pytest

from tests.tl_core.figures.run_events import batch, epoch, phase
from tl_core.config import TrainingConfig
from tl_core.machine.hardware import detect_hardware
from tl_core.runs import EventLog, create_run
from ui.runs_page.compare import MOST
from ui.state import run_feed
from ui.state.run_feed import FOLLOWED_RUNS, following


def test_only_what_is_new_is_read_and_all_of_it_is_known(workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset)
    with EventLog(run.folder.events_file) as writer:
        writer.write(**phase("head", 1, 5))
        writer.write(**epoch(1))
        with following(run) as feed:
            assert list(feed.history.epochs) == [1]
        writer.write(**epoch(2))
        with following(run) as again:
            assert again is feed
            assert list(again.history.epochs) == [1, 2]
            assert again.progress.epoch == 2


def test_a_run_that_has_not_begun_is_empty(workspace, dataset):
    with following(create_run(workspace, TrainingConfig(), dataset)) as feed:
        assert feed.history.epochs == {}


def test_a_run_viewed_long_ago_is_read_again(workspace, dataset):
    first = create_run(workspace, TrainingConfig(), dataset)
    with EventLog(first.folder.events_file) as writer:
        writer.write(**epoch(1))
    with following(first) as feed:
        pass
    for _ in range(FOLLOWED_RUNS):
        with following(create_run(workspace, TrainingConfig(), dataset)):
            pass
    with following(first) as again:
        assert again is not feed
        assert list(again.history.epochs) == [1]


def test_all_runs_of_a_comparison_stay_in_memory(workspace, dataset):
    runs = [create_run(workspace, TrainingConfig(), dataset) for _ in range(MOST)]

    def feeds():
        for run in runs:
            with following(run) as feed:
                yield feed

    assert all(one is again for one, again in zip(list(feeds()), list(feeds()), strict=True))


def test_a_run_that_is_resumed_while_it_is_viewed_goes_on_live(workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset)
    with EventLog(run.folder.events_file) as log:
        log.write(**phase("head", 1, 5))
        log.write(**epoch(1))
        for number in range(1, 91):
            log.write(**batch(2, number, 90))
        with following(run) as feed:
            assert feed.history.position == 2
            assert feed.progress.epoch == 2
        log.forget_epochs_from(2)
        log.write(**epoch(2))
        with following(run) as again:
            assert list(again.history.epochs) == [1, 2]
            assert again.history.batches == []
            assert again.progress.epoch == 2


def test_the_bar_of_a_training_never_runs_backwards_until_it_goes_on(workspace, dataset):
    run = replace(create_run(workspace, TrainingConfig(), dataset), status="running")
    with EventLog(run.folder.events_file) as writer:
        writer.write(**phase("prepare", 1, 5))
        with following(run) as feed:
            assert [feed.furthest(run, share) for share in (0.2, 0.5, 0.3, 0.6)] == [0.2, 0.5, 0.5, 0.6]
        writer.write(**phase("prepare", 1, 5))  # it was cut off, and goes on
        with following(run) as feed:
            assert feed.furthest(run, 0.1) == 0.1
            assert feed.furthest(replace(run, status="queued"), 0.4) == 0.0


@pytest.mark.parametrize(("cores", "expected"), [(1, 2.0), (2, 2.0), (4, 1.0), (16, 1.0)])
def test_on_few_cores_a_page_looks_half_as_often_at_a_training(monkeypatch, cores, expected):
    hardware = replace(detect_hardware(), cores=cores)
    monkeypatch.setattr(run_feed, "detect_hardware", lambda: hardware)
    assert run_feed.refresh_seconds(1.0) == expected
