"""Our side of the benchmarks: a whole training, as Start begins it, and what its run folder says afterwards."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import Estimate
from benchmarks.session import Measured
from tl_core.config import TrainingConfig
from tl_core.data import Dataset, load_dataset
from tl_core.planning import plan_training
from tl_core.planning.speed import load_speed
from tl_core.runs import RunRecord, create_run, read_events
from tl_core.storage.files import read_json, write_json
from tl_core.storage.workspace import Workspace


def train_with_engine(dataset: str, workspace: str, config: dict[str, Any], calibrated: bool = False) -> Measured:
    """Train once; all libraries are imported before the clock starts, everything else is counted.

    Args:
        dataset: folder of the dataset.
        workspace: its root.
        config: plain values of the configuration.
        calibrated: measure this kind of training first, as the form does, for the estimate.

    Returns:
        ``seconds`` of the whole training; ``first_epoch`` seconds from Start to the first epoch event; seconds of
        each epoch by phase and of each stage; the estimate that was shown before Start; the accuracies.
    """
    from tl_core.features.openvino_runtime import import_openvino
    from tl_core.training import train

    import_openvino()  # so that loading it is not counted, as it is not for TensorFlow

    settings, room = TrainingConfig.from_dict(config), Workspace(Path(workspace))
    images = load_dataset(Path(dataset))
    if calibrated:
        _calibrate(settings, images, room)
    plan = plan_training(settings, images, room)
    run = create_run(room, settings, images)
    started, began = time.time(), time.perf_counter()
    train(settings, images.path, run.path, lambda: False)
    seconds = time.perf_counter() - began
    estimate = {"estimated": plan.seconds, "seconds": seconds, "informed": plan.measured}
    about = {"seconds": seconds, "estimate": estimate, "run": str(run.path), "images": len(images.images)}
    return about | read_run(run, started)


def _calibrate(config: TrainingConfig, dataset: Dataset, room: Workspace) -> None:
    """Measure this kind of training as the form does, in a process of its own; once for all rounds of a session."""
    kept = dataset.path.parent / "speeds"
    kept.mkdir(exist_ok=True)
    if not room.speeds.exists():
        room.speeds.symlink_to(kept, target_is_directory=True)
    if load_speed(room, config) is not None:
        return
    settings, images = room.root / "calibrate.json", room.datasets / dataset.path.name
    write_json(settings, config.to_dict())
    images.symlink_to(dataset.path, target_is_directory=True)
    subprocess.run(
        [sys.executable, "-m", "tl_core", "calibrate", "--config", str(settings), "--data", images.name],
        env={**os.environ, "TL_WORKSPACE": str(room.root)}, capture_output=True, check=True,
    )  # fmt: skip


def read_run(run: RunRecord, started: float) -> Measured:
    """What the folder of a finished run says.

    Args:
        started: Unix seconds of Start.
    """
    events = read_events(run.folder.events_file)
    epochs = [event for event in events if event["kind"] == "epoch"]
    rates = [event["images_per_second"] for event in events if event["kind"] == "progress"]
    metrics = read_json(run.folder.metrics_file)
    return {
        "first_epoch": epochs[0]["t"] - started,
        "epochs": {phase: [e["seconds"] for e in epochs if e["phase"] == phase] for phase in ("head", "fine_tune")},
        "epoch_ends": [event["t"] for event in epochs],
        "stages": metrics["seconds"],
        "trunk_rate": next((rate for rate in reversed(rates) if rate), None),
        "last_val_accuracy": epochs[-1]["val_accuracy"],
        "val_accuracy": metrics["validation"]["accuracy"],
        "test_accuracy": metrics.get("test", {}).get("accuracy"),
        "notes": [event["text"] for event in events if event["kind"] == "note"],
    }


def estimate_of(name: str, measured: Sequence[Measured]) -> Estimate:
    """The estimate shown before the runs, and the medians over the rounds."""
    entries = [one["estimate"] for one in measured]
    return Estimate(
        of=name,
        estimated=statistics.median(entry["estimated"] for entry in entries),
        seconds=statistics.median(entry["seconds"] for entry in entries),
        informed=all(entry["informed"] for entry in entries),
    )
