"""A real training that goes on in a running server for as long as a test needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.e2e.application import App, serve
from tests.e2e.visitor import visiting
from tests.ui.pages_without_browser import pictures
from tl_core.config import AugmentationConfig, TrainingConfig
from tl_core.data import import_uploads
from tl_core.runs import RunRecord, create_run, load_run, read_events, update_run
from tl_core.storage.workspace import Workspace

PATIENCE = 120  # seconds until what should come counts as never coming

QUICK_EPOCHS = TrainingConfig(
    backbone="vgg16",
    weights="random",
    image_size=32,
    epochs=1000,
    batch_size=4,
    augmentation=AugmentationConfig(rotation_degrees=10, zoom=0.1),  # so that an epoch takes a while
    early_stopping_patience=None,
)
SLOW_EPOCHS = replace(QUICK_EPOCHS, image_size=64)  # some seconds each: 1,000 of them take longer than any test


def wait_for(condition: Callable[[], object]) -> None:
    """Look until it is so.

    Raises:
        AssertionError: it never came.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)  # between two looks: the condition decides


def epochs_told(run: RunRecord) -> list[int]:
    """The epochs in the run's events, in their order."""
    return [event["epoch"] for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]


def prepare_run(workspace: Workspace, config: TrainingConfig = QUICK_EPOCHS, images_per_class: int = 12) -> RunRecord:
    """A long run without a process; the server offers to resume it."""
    dataset = import_uploads(workspace.ensure(), pictures(each=images_per_class), "Pets")
    run = create_run(workspace, config, dataset)
    return update_run(run.path, status="running", owner=None)


def resumed(app: App, run: RunRecord) -> RunRecord:
    """The run at work in the server, at least two epochs further than before."""
    before = max(epochs_told(run), default=0)
    with visiting(app.url) as visit:
        button = "Resume from the last epoch" if before else "Start it again"
        visit.open("Train", f"run={run.id}").press(button)
    wait_for(lambda: max(epochs_told(run), default=0) >= before + 2)
    return load_run(run.path)


@contextmanager
def training_server(folder: Path) -> Iterator[tuple[App, RunRecord]]:
    """A server of its own in the middle of a training with slow epochs."""
    run = prepare_run(Workspace(folder / "workspace"), SLOW_EPOCHS, images_per_class=60)
    with serve(folder, {}) as app:
        yield app, resumed(app, run)
