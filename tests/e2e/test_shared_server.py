"""One server, several visitors and a real training: what befalls one of them harms neither the others nor the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.application import App, serve
from tests.e2e.visitor import ask, visiting
from tests.ui.pages_without_browser import pictures
from tl_core.config import AugmentationConfig, TrainingConfig
from tl_core.data import import_uploads
from tl_core.runs import RunRecord, create_run, load_run, read_events, update_run
from tl_core.runs.record import CHECKPOINT_FILE
from tl_core.workspace import Workspace

PATIENCE = 120  # seconds until what should come counts as never coming
ENDS_WITHIN = 10.0  # seconds, after SIGTERM
ANSWERS_WITHIN = 1.0  # seconds, the probe of the server while it trains

LONG = TrainingConfig(
    backbone="vgg16",
    weights="random",
    image_size=32,
    epochs=1000,
    batch_size=4,
    augmentation=AugmentationConfig(rotation_degrees=10, zoom=0.1),  # so that an epoch takes a while
    early_stopping_patience=None,
)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)  # between two looks: the condition decides


def epochs_told(run: RunRecord) -> list[int]:
    return [event["epoch"] for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]


def resumed(app: App, run: RunRecord) -> RunRecord:
    """The run at work in the server, at least two epochs further than before."""
    before = max(epochs_told(run), default=0)
    with visiting(app.url) as visit:
        visit.open("Train", f"run={run.id}").press("Resume from the last epoch")
    wait_for(lambda: max(epochs_told(run), default=0) >= before + 2)
    return load_run(run.path)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord]:
    """A workspace with a long run that nobody works on."""
    folder = tmp_path_factory.mktemp("shared")
    workspace = Workspace(folder / "workspace").ensure()
    dataset = import_uploads(workspace, pictures(each=12), "Pets")
    run = create_run(workspace, LONG, dataset)
    return folder, update_run(run.path, status="running", owner=None)


def test_a_training_outlives_a_cleared_cache_and_an_ended_server_can_resume_it(left: tuple[Path, RunRecord]):
    folder, run = left
    assert load_run(run.path).status == "interrupted"
    with serve(folder, {}) as app:
        assert resumed(app, run).status == "running"

        slowest = max(_seconds(lambda: ask(f"{app.url}/_stcore/health")) for _ in range(50))
        assert slowest < ANSWERS_WITHIN

        with visiting(app.url) as watcher, visiting(app.url) as other:
            watcher.open("Train", f"run={run.id}")
            other.open()
            other.clear_cache()
            reached = max(epochs_told(run))
            wait_for(lambda: max(epochs_told(run)) >= reached + 3)
            for visit in (watcher, other):
                drawn = visit.open("Train", f"run={run.id}").elements
                assert b"Stop and keep the best epoch" in drawn
                assert b" so far" in drawn
        told = epochs_told(run)
        assert told == list(range(1, len(told) + 1)), "no epoch is missing, none is told twice"

        wait_for(lambda: (run.path / CHECKPOINT_FILE).exists())
        assert load_run(run.path).status == "running", "the end comes in the middle of the work"
        app.process.terminate()
        assert _seconds(lambda: app.process.wait(2 * ENDS_WITHIN)) < ENDS_WITHIN
    assert load_run(run.path).status == "interrupted"

    with serve(folder, {}) as app:
        resumed(app, run)
        told = epochs_told(run)
        assert told == list(range(1, len(told) + 1))
        notes = [event["text"] for event in read_events(run.folder.events_file) if event["kind"] == "note"]
        assert any(note.startswith("Going on with epoch") for note in notes)
        with visiting(app.url) as visit:
            visit.open("Train", f"run={run.id}").press("Stop and keep the best epoch")
        wait_for(lambda: load_run(run.path).status == "stopped")
    assert load_run(run.path).has_model


def _seconds(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began
