"""Trainings that are stopped at a chosen moment, and how long it takes until they report it."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.tl_core.small_trainings import QUICK, Trained
from tl_core.data.dataset import Dataset
from tl_core.errors import StoppedError
from tl_core.runs import create_run, load_run, read_events
from tl_core.storage.workspace import Workspace
from tl_core.training import train

PATIENCE = 120  # seconds until a training counts as stuck
LOOK_EVERY = 0.01  # seconds: polling without a pause takes a core, and the GIL, from the training

# Both phases, images that have to be decoded, augmented and run through the trunk: every stage takes some time.
SETTINGS: dict[str, Any] = {"epochs": 3, "frozen_layers": 15, "fine_tune_epochs": 3, "fine_tune_learning_rate": 1e-5}
STAGES = ("prepare", "features", "head", "fine_tune", "evaluate", "save")
BEFORE_THE_FIRST_BATCH = ("prepare", "features")


@dataclass(frozen=True)
class Stop:
    """How a training has answered."""

    stage: str  # at work when the stop was requested
    seconds: float | None  # until the training itself reported it; None = it never did
    longest: float  # seconds between two checks for a stop, or to its end: a step that cannot be cut
    stuck: bool
    run: Trained

    @property
    def told_best(self) -> float | None:
        """The lowest loss of all epochs in the event log."""
        return min(self.run.curve("val_loss"), default=None)


def stop_in(
    workspace: Workspace, dataset: Dataset, stage: str, moment: float, *, heard: bool = True, **changes: Any
) -> Stop:
    """Train, and ask to stop so many seconds after a stage began.

    Args:
        workspace: its cache is emptied first, so that everything has to be computed.
        dataset: to train on.
        stage: one of `STAGES`.
        moment: seconds.
        heard: whether the training is told; if not, it is a control of this function.
        changes: of the settings.
    """
    for entry in workspace.cache.iterdir() if workspace.cache.exists() else ():
        _remove(entry)
    run = create_run(workspace, replace(QUICK, **{**SETTINGS, **changes}), dataset)
    asked, looks = threading.Event(), [time.monotonic()]

    def should_stop() -> bool:
        looks.append(time.monotonic())
        return heard and asked.is_set()

    def work() -> None:
        with contextlib.suppress(StoppedError):
            train(run.config, dataset.path, run.path, should_stop)
        looks.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    _wait_for(lambda: not thread.is_alive() or stage in _stages(run.path))
    thread.join(moment)
    stages = _stages(run.path)
    began = time.monotonic()
    asked.set()
    _wait_for(lambda: not thread.is_alive() or _said_so(run.path))
    seconds = time.monotonic() - began if _said_so(run.path) else None
    thread.join(PATIENCE)
    longest = max(after - before for before, after in itertools.pairwise(looks))
    return Stop(stages[-1] if stages else "prepare", seconds, longest, thread.is_alive(), Trained(run.path))


def _stages(path: Path) -> list[str]:
    """The stages so far; a run that has ended has one more."""
    events = read_events(load_run(path).folder.events_file)
    return [event.get("phase", "ended") for event in events if event["kind"] in ("phase", "end")]


def _said_so(path: Path) -> bool:
    events = read_events(load_run(path).folder.events_file)
    return any(event["kind"] == "end" or event.get("text", "").startswith("Stopped") for event in events)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(LOOK_EVERY)  # the condition decides


def _remove(entry: Path) -> None:
    for file in entry.iterdir():
        file.unlink()
    entry.rmdir()
