"""Running a training in the foreground: its progress as text, Ctrl-C as Stop."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tl_core.command_line.verb import DONE, STOPPED, Output
from tl_core.runs import Event, EventReader, RunRecord, load_run
from tl_core.runs.evaluations import read_metrics
from tl_core.storage.format import percent

Train = Callable[[Callable[[], bool]], None]

_INTERVAL = 0.5  # seconds between two reads of the events


def run_and_report(run: RunRecord, train: Train, output: Output) -> int:
    """Train in this thread, print the progress on standard error and the outcome on standard output.

    Raises:
        TransferLearningError: the training could not go on.
        StoppedError: stopped before there was a model.
    """
    output.say(f"Run {run.id}")
    stop = threading.Event()
    with _stopping_on_signals(stop, output), _telling(run.path, output):
        train(stop.is_set)
    run = load_run(run.path)
    values = outcome(run)
    output.result(values, _in_words(run, values))
    return DONE if run.status == "done" else STOPPED


def outcome(run: RunRecord) -> dict[str, Any]:
    """The outcome of a run, in plain values."""
    metrics = read_metrics(run)
    best = run.best
    return {
        "run_id": run.id,
        "run_dir": str(run.path),
        "status": run.status,
        "val_accuracy": best.val_accuracy if best else None,
        "val_loss": best.val_loss if best else None,
        "best_epoch": best.epoch if best else None,
        "test_accuracy": metrics.get("test", {}).get("accuracy"),
        "epochs": metrics.get("epochs", 0),
        "seconds": {stage: round(seconds, 3) for stage, seconds in metrics.get("seconds", {}).items()},
    }


def _in_words(run: RunRecord, values: dict[str, Any]) -> list[str]:
    lines = [f"{run.status}: {run.folder.model_file}"]
    for name, label in (("val_accuracy", "validation"), ("test_accuracy", "test")):
        if values[name] is not None:
            lines.append(f"{label} accuracy {percent(values[name])}")
    return lines


@contextlib.contextmanager
def _stopping_on_signals(stop: threading.Event, output: Output) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM keeps the best model; a second one ends the program."""

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()
        output.say("Stopping; the best model so far is kept.")

    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield
        return
    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _telling(run_path: Path, output: Output) -> Iterator[None]:
    """Print what happens in the run, from another thread, until the block ends."""
    reader = EventReader(load_run(run_path).folder.events_file)
    reader.read_new()  # what happened before a resumption
    finished = threading.Event()

    def tell() -> None:
        while not finished.wait(_INTERVAL):
            _tell_new(reader, output)

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        _tell_new(reader, output)


def _tell_new(reader: EventReader, output: Output) -> None:
    for event in reader.read_new().appended:
        if text := _sentence(event):
            output.say(text)
        elif event["kind"] == "progress" and sys.stderr.isatty():
            output.task.report(event["done"], event["total"])


def _sentence(event: Event) -> str | None:
    if event["kind"] in ("phase", "note"):
        return str(event["text"])
    if event["kind"] == "epoch":
        best = " (best)" if event["best"] else ""
        return (
            f"Epoch {event['epoch']} of {event['epochs']}: loss {event['loss']:.4f}, "
            f"accuracy {event['accuracy']:.3f}, "
            f"validation loss {event['val_loss']:.4f}, accuracy {event['val_accuracy']:.3f}{best}"
        )
    return None
