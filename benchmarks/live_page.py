"""What an open page costs a training: in the server, watched by a browser, against the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.results import Result, ratios
from benchmarks.server import START_SECONDS, environment, open_page, serve
from benchmarks.session import REPOSITORY, BenchmarkError, Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset
from tl_core.config import TrainingConfig
from tl_core.data import load_dataset
from tl_core.runs import RunRecord, create_run, list_runs
from tl_core.storage.files import read_json, write_json
from tl_core.storage.workspace import Workspace

TRAINING_SECONDS: Final = 900


def run(session: Session) -> Iterator[Result]:
    """Measure the row."""
    kept = make_dataset(session.store, Kind(images=session.pick(600, 40)))
    config = TrainingConfig(epochs=session.pick(150, 3), image_size=session.pick(None, 32))
    pages: list[Measured] = []
    lines: list[Measured] = []
    for _ in session.rounds():
        for contender, measured in ((train_from_page, pages), (train_from_command_line, lines)):
            workspace = session.workspace()
            dataset = share_dataset(kept, workspace)
            measured.append(
                session.measure(contender, dataset=dataset.path, workspace=workspace.root, config=config.to_dict())
            )
    work = len(kept.images) + config.epochs * len(kept.of_split("train"))
    ours, theirs = (tuple(work / one["seconds"] for one in runs) for runs in (pages, lines))
    yield Result(
        name="live_page",
        program=session.program,
        title="training with one page open on the live chart",
        against="the same from the command line",
        target=0.97,
        unit="x",
        values=ratios(ours, theirs),
        ours=ours,
        theirs=theirs,
        measured_in="images/s",
        note=(
            f"{len(kept.images)} images through the frozen EfficientNet-Lite0 once, then {config.epochs} epochs of "
            "the head; images over the time of these two stages. The browser runs on the same cores, without a GPU. "
            f"With the page: {_stages(pages)}; command line: {_stages(lines)}."
        ),
    )


def _stages(runs: list[Measured]) -> str:
    totals = {stage: sum(one["stages"][stage] for one in runs) / len(runs) for stage in ("features", "head")}
    return ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in totals.items())


def train_from_command_line(dataset: str, workspace: str, config: dict[str, Any]) -> Measured:
    """``python -m tl_core train`` in the foreground."""
    settings = Path(workspace) / "settings.json"
    write_json(settings, config)
    command = [
        sys.executable, "-m", "tl_core", "train", "--json", "--data", Path(dataset).name, "--config", str(settings)
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment(workspace), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"The command line failed:\n{done.stderr[-2000:]}")
    return _measured(Workspace(Path(workspace)))


def train_from_page(dataset: str, workspace: str, config: dict[str, Any]) -> Measured:
    """Start on the Train page in a real browser, and keep it open until the training is done."""
    from playwright.sync_api import expect

    room = Workspace(Path(workspace))
    pattern = create_run(room, TrainingConfig.from_dict(config), load_dataset(Path(dataset)), "settings")
    with serve(room) as url, open_page() as page:
        page.goto(f"{url}/Train?like={pattern.id}")
        page.get_by_role("button", name="Start training").click(timeout=1000 * START_SECONDS)
        expect(page.locator(".tlc-plot")).to_be_visible(timeout=1000 * START_SECONDS)
        finished = _wait_for_the_end(room, pattern, page.wait_for_timeout)
    if finished.config.to_dict() != config:
        raise BenchmarkError("The page trained with other settings than the command line.")
    return _measured(room)


def _wait_for_the_end(room: Workspace, pattern: RunRecord, wait: Any) -> RunRecord:
    for _ in range(2 * TRAINING_SECONDS):
        wait(500)
        started = [run for run in list_runs(room) if run.id != pattern.id]
        if started and not started[0].active:
            return started[0]
    raise BenchmarkError(f"The training on the page was not done within {TRAINING_SECONDS} s.")


def _measured(room: Workspace) -> Measured:
    run = next(run for run in list_runs(room) if run.has_model)
    stages = read_json(run.folder.metrics_file)["seconds"]
    return {"seconds": stages["features"] + stages["head"], "stages": stages}
