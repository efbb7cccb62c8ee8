"""One server, several visitors and a real training: what befalls one of them harms neither the others nor the run."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.application import App, serve
from tests.e2e.long_run import PATIENCE, epochs_told, prepare_run, resumed, wait_for
from tests.e2e.visitor import ask, visiting
from tests.ui.pages_without_browser import pictures
from tl_core.data import import_uploads
from tl_core.runs import RunRecord, list_runs, load_run, read_events
from tl_core.storage.workspace import Workspace
from tl_core.training.callbacks.backup import load_checkpoint

ENDS_WITHIN = 10.0  # seconds, after SIGTERM or Ctrl-C
ANSWERS_WITHIN = 1.0  # seconds, the probe of the server while it trains


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord]:
    """A workspace with a long run without a process."""
    folder = tmp_path_factory.mktemp("shared")
    return folder, prepare_run(Workspace(folder / "workspace"))


@pytest.mark.slow
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
                assert b"Stop and keep the best" in drawn
                assert b" so far" in drawn
        told = epochs_told(run)
        assert told == list(range(1, len(told) + 1)), "no epoch is missing, none is told twice"

        end_in_mid_run(app, run, signal.SIGTERM)

    with serve(folder, {}) as app:
        resumed(app, run)
        end_in_mid_run(app, run, signal.SIGINT)  # Ctrl-C

    with serve(folder, {}) as app:
        resumed(app, run)
        told = epochs_told(run)
        assert told == list(range(1, len(told) + 1))
        notes = [event["text"] for event in read_events(run.folder.events_file) if event["kind"] == "note"]
        assert len([note for note in notes if note.startswith("Going on with epoch")]) == 2
        with visiting(app.url) as visit:
            visit.open("Train", f"run={run.id}").press("Stop and keep the best")
        wait_for(lambda: load_run(run.path).status == "stopped")
    assert load_run(run.path).has_model


@pytest.mark.slow
def test_ten_visitors_who_press_start_at_once_make_one_training_and_nine_that_wait(start_app: Callable[..., App]):
    app = start_app()
    import_uploads(app.workspace.ensure(), pictures(each=12), "Pets")
    together = threading.Barrier(10)

    def start(_: int) -> bytes:
        with visiting(app.url) as visit:
            visit.open("Train")
            together.wait(PATIENCE)
            return visit.press("Start training").elements

    with ThreadPoolExecutor(10) as pool:
        shown = list(pool.map(start, range(10)))
    runs = list_runs(app.workspace)
    assert len(runs) == 10
    assert sum(b"before this one" in page for page in shown) >= 9, "whoever waits is told so"
    wait_for(lambda: "running" in statuses(app))
    assert statuses(app) == ["queued"] * 9 + ["running"]


def statuses(app: App) -> list[str]:
    return sorted(run.status for run in list_runs(app.workspace))


def end_in_mid_run(app: App, run: RunRecord, how: signal.Signals) -> None:
    wait_for(lambda: load_checkpoint(run.folder) is not None)
    assert load_run(run.path).status == "running", "the end comes in the middle of the work"
    app.process.send_signal(how)
    assert _seconds(lambda: app.process.wait(2 * ENDS_WITHIN)) < ENDS_WITHIN
    wait_for(lambda: load_run(run.path).status == "interrupted")  # its worker process ends with it


def _seconds(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began
