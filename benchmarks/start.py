"""From the click on *Start* to the first epoch, on a server that has just begun and on a warm one; and its memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from benchmarks.results import Result
from benchmarks.server import START_SECONDS, open_page, serve
from benchmarks.session import BenchmarkError, Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset
from tl_core.config import TrainingConfig
from tl_core.data import load_dataset
from tl_core.runs import RunRecord, create_run, list_runs, read_events
from tl_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page

EPOCH_SECONDS: Final = 300
GIB: Final = 2**30


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    kept = make_dataset(session.store, Kind(images=session.pick(300, 40)))
    config = TrainingConfig(epochs=session.pick(20, 2), image_size=session.pick(None, 32))
    found: list[Measured] = []
    for _ in session.rounds():
        workspace = session.workspace()
        dataset = share_dataset(kept, workspace)
        found.append(
            session.measure(start_on_pages, dataset=dataset.path, workspace=workspace.root, config=config.to_dict())
        )
    note = (
        f"{len(kept.images)} images, Quick start's settings, in a real browser on the same cores. "
        f"Memory of the server alone {_median(found, 'server_gib'):.2f} GiB, of it and its worker process together "
        f"{_median(found, 'all_gib'):.2f} GiB."
    )
    for name, title, target in (
        ("cold", "from the click on Start to the first epoch, on a server that has just begun", 15.0),
        ("warm", "the same for the second training, with another seed", 5.0),
    ):
        values = tuple(one[name] for one in found)
        yield Result(name=f"start_{name}", program=session.program, title=title, against="", target=target, unit="s",
                     at_least=False, values=values, note=note)  # fmt: skip
        note = "As in the row above."


def _median(found: list[Measured], name: str) -> float:
    return float(statistics.median(one[name] for one in found))


def start_on_pages(dataset: str, workspace: str, config: dict[str, Any]) -> Measured:
    """Start one training as soon as the form is there, and another one once that is done."""
    room = Workspace(Path(workspace))
    settings = TrainingConfig.from_dict(config)
    images = load_dataset(Path(dataset))
    patterns = [create_run(room, replace(settings, seed=seed), images, f"settings {seed}") for seed in (1, 2)]
    with serve(room) as url, open_page() as page:
        cold, warm = (_seconds_to_first_epoch(page, room, f"{url}/Train?like={one.id}", patterns) for one in patterns)
        return {"cold": cold, "warm": warm, **_memory(url)}


def _seconds_to_first_epoch(page: Page, room: Workspace, address: str, patterns: list[RunRecord]) -> float:
    known = {run.id for run in list_runs(room)} | {run.id for run in patterns}
    page.goto(address)
    button = page.get_by_role("button", name="Start training")
    button.wait_for(timeout=1000 * START_SECONDS)
    began = time.time()
    button.click(timeout=1000 * START_SECONDS)
    first: float | None = None
    while time.time() - began < EPOCH_SECONDS:
        page.wait_for_timeout(50)
        for run in (run for run in list_runs(room) if run.id not in known):
            epochs = [event["t"] for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]
            first = epochs[0] if epochs else None
            if first is not None and not run.active:
                return float(first - began)
    raise BenchmarkError(f"There was no first epoch within {EPOCH_SECONDS} s.")


def _memory(url: str) -> dict[str, float]:
    """GiB of the server's own memory, and of it with all processes that it has started."""
    port = int(url.rpartition(":")[2])
    server = next(
        process
        for process in psutil.Process().children(recursive=True)
        if f"--server.port={port}" in process.cmdline()
    )
    own = server.memory_full_info().uss / GIB
    return {"server_gib": own, "all_gib": own + sum(
        child.memory_full_info().uss for child in server.children(recursive=True)
    ) / GIB}  # fmt: skip
