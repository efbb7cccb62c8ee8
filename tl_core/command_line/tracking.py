"""``track``: send a run to MLflow; and what ``doctor`` says of the programs that show runs, too."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tl_core.command_line.verb import Output
from tl_core.errors import TrackingError
from tl_core.runs import find_run
from tl_core.runs.tracking.settings import TENSORBOARD, Tracking, tracking_is_asked
from tl_core.storage.workspace import Workspace


def track(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Send what MLflow has not yet of a run; of one that trains, until it has ended."""
    run = find_run(workspace, options.run)
    tracking = Tracking.from_environment()
    output.say(f"Sending “{run.name}” to MLflow at {tracking.shown} …")
    from tl_core.runs.tracking.follower import follow

    sent = follow(run.folder, tracking, threading.Event().wait, patience=0.0)
    if sent.problem is not None:
        raise TrackingError(sent.problem)
    values = {"run_id": run.id, "mlflow_run_id": sent.run_id, "url": sent.page, "events": sent.events}
    return output.result(values, [f"MLflow has it: {sent.page or tracking.shown}, run {sent.run_id}"])


def check_trackers() -> Iterator[tuple[str, str, str | None]]:
    """Name, what was found and what to do (None where all is well), of each program that is asked for."""
    if logs := os.environ.get(TENSORBOARD):
        yield "TensorBoard", f"every run writes its epochs into {logs}", _against_logs(Path(logs))
    if tracking_is_asked():
        yield "MLflow", *_check_mlflow()


def _against_logs(folder: Path) -> str | None:
    if find_spec("tensorboard") is None:
        return "Run “pip install tensorboard”."
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    writable = there.is_dir() and os.access(there, os.W_OK)
    return None if writable else f"{folder} cannot be written: name another folder with {TENSORBOARD}."


def _check_mlflow() -> tuple[str, str | None]:
    try:
        tracking = Tracking.from_environment()
        from tl_core.runs.tracking.mlflow_run import ask

        ask(tracking)
    except TrackingError as error:
        return "runs are not sent to it", str(error)
    return f"every run is sent to {tracking.shown}, experiment “{tracking.experiment}”", None
