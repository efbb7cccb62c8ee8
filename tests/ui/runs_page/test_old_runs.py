"""Old runs are offered for deletion when the workspace is nearly full; nothing goes without being asked."""

from __future__ import annotations

import pytest

from tests.ui.pages_without_browser import open_page, press, texts
from tests.ui.trained_runs import colour_dataset
from tl_core.config import TrainingConfig
from tl_core.runs import annotate_run, create_run, list_runs, update_run
from tl_core.storage.quota import _kept

MEGABYTE = 1_000_000
PAGE = "pages/3_Runs.py"


@pytest.fixture(autouse=True)
def measured_anew():
    _kept.clear()


@pytest.fixture
def dataset(workspace):
    return colour_dataset(workspace, each=6)


def run_of(workspace, dataset, name, day, size=MEGABYTE, status="done"):
    run = create_run(workspace, TrainingConfig(), dataset, name)
    run.folder.model_file.write_bytes(bytes(size))
    return update_run(run.path, status=status, created=f"2026-01-{day:02d}T12:00:00.000+00:00")


def names(workspace):
    return [run.name for run in reversed(list_runs(workspace))]


@pytest.fixture
def five(workspace, dataset):
    runs = [run_of(workspace, dataset, f"run {day}", day) for day in range(1, 6)]
    annotate_run(workspace, runs[0].id, starred=True)
    return runs


def test_with_room_enough_nothing_is_said(workspace, five):
    at = open_page(PAGE)
    assert "nearly full" not in texts(at)
    assert not [button for button in at.button if button.key == "runs-old-yes"]


def test_the_oldest_without_a_star_go_after_asking_and_no_more_than_needed(workspace, five, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.0045")  # of which 80 % are 3.6 MB; there are a little over 5
    at = open_page(PAGE)
    assert "The workspace is nearly full: 5 MB of 4 MB" in texts(at)
    assert names(workspace) == [f"run {day}" for day in range(1, 6)]
    assert "run 2" in texts(at)
    at = press(at, "Delete 2 runs")
    assert names(workspace) == ["run 1", "run 4", "run 5"]
    assert "nearly full" not in texts(at)


def test_a_star_given_meanwhile_counts_and_nothing_goes_that_was_not_shown(workspace, five, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.0045")
    at = open_page(PAGE)
    annotate_run(workspace, five[1].id, starred=True)
    press(at, "Delete 2 runs")
    assert names(workspace) == ["run 1", "run 2", "run 4", "run 5"]


def test_runs_in_progress_interrupted_ones_and_the_newest_stay(workspace, dataset, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE_GB", "1")
    for day, status in enumerate(("running", "interrupted", "queued", "failed", "done"), start=1):
        run_of(workspace, dataset, status, day, status=status)
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.001")
    _kept.clear()
    press(open_page(PAGE), "Delete 1 run")
    assert set(names(workspace)) == {"running", "interrupted", "queued", "done"}
