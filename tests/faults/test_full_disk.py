"""The disk is full at any write of a training: a sentence, a readable record, and a best model that loads."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.faults.full_disk import FullDisk, full_disk
from tests.faults.killed_trainings import damage_of
from tests.tl_core.jobs.thread_runner import ThreadRunner
from tests.tl_core.jobs.waiting import wait_until_idle
from tests.tl_core.small_trainings import COLOURS, QUICK, import_coloured
from tl_core.data.dataset import Dataset
from tl_core.features.cache import open_cache
from tl_core.jobs import JobManager
from tl_core.runs import RunRecord, create_run, load_run, read_events
from tl_core.storage.files import WRITING
from tl_core.storage.workspace import Workspace
from tl_core.training import saving, train
from tl_core.training.callbacks import backup, best_model

PATIENCE = 120  # seconds
MIDDLE = 0.5  # of all writes
CONFIG = replace(QUICK, epochs=3, learning_rate=1e-3)


@dataclass
class Outcome:
    disk: FullDisk
    run: RunRecord


@pytest.fixture
def small(tmp_path: Path) -> tuple[Workspace, Dataset]:
    """A workspace of its own, so that nothing is in the cache."""
    workspace = Workspace(tmp_path / "workspace").ensure()
    return workspace, import_coloured(workspace, COLOURS, count=6)


@pytest.fixture(autouse=True)
def many_writes(monkeypatch):
    """Every better epoch is written, and every checkpoint is flushed or not, in turns."""
    monkeypatch.setattr(best_model, "MODEL_INTERVAL", 0.0)
    flushes = iter(range(1_000_000))
    original = backup.save_checkpoint
    monkeypatch.setattr(
        backup, "save_checkpoint", lambda folder, state, flush: original(folder, state, flush=next(flushes) % 2 == 0)
    )


@pytest.fixture
def nothing_logged():
    """pytest keeps each error that was logged until the test ends, and with that the model of its training."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def train_on(small: tuple[Workspace, Dataset], full_at: int | None = None, *, stays: bool = False) -> Outcome:
    """A whole training through the queue, as the server does it."""
    workspace, dataset = small
    run = create_run(workspace, CONFIG, dataset)
    with full_disk(workspace.root, full_at, stays=stays) as disk:
        jobs = JobManager(workspace, ThreadRunner(train=train))  # in this process, where the disk is full
        jobs.submit(run.id)
        wait_until_idle(jobs, PATIENCE)
    return Outcome(disk, load_run(run.path))


def refused(small: tuple[Workspace, Dataset], full_at: int, *, stays: bool) -> Outcome:
    """As `train_on`; the number of writes varies a little, because progress events depend on the time."""
    for earlier in range(full_at, 0, -1):
        open_cache(small[0]).clear()
        outcome = train_on(small, earlier, stays=stays)
        if outcome.disk.refused:
            return outcome
    raise AssertionError("it was never full")


def require_well_ended(outcome: Outcome) -> None:
    run = outcome.run
    assert run.status in ("failed", "done"), outcome.disk.refused
    assert damage_of(run) is None, outcome.disk.refused
    if run.status == "failed":
        assert "No space left" in run.error, outcome.disk.refused
        assert run.error.endswith("."), run.error
        assert "free some disk space" in run.error
    assert not list(run.path.glob(f"{WRITING}*")), outcome.disk.refused
    assert not list(run.path.parent.parent.glob("cache/.making-*")), outcome.disk.refused
    told = [event["epoch"] for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]
    assert told == list(range(1, len(told) + 1))


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.0, MIDDLE, 1.0], ids=["first", "middle", "last"])
def test_a_full_disk_is_a_sentence_and_the_best_model_loads(small, part):
    full_at = 1
    if part:
        open_cache(small[0]).clear()
        full_at = round(part * len(train_on(small).disk.log))
    outcome = refused(small, full_at, stays=True)
    require_well_ended(outcome)
    if part == MIDDLE:  # the first write is dispensable, and the last one is repeated in the reserved space
        assert outcome.run.status == "failed"


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stays", [False, True], ids=["for a moment", "from then on"])
def test_a_full_disk_at_every_write(small, stays, say, nothing_logged):
    failed = done = 0
    kinds = set()
    full_at = 1
    while True:
        open_cache(small[0]).clear()
        outcome = train_on(small, full_at, stays=stays)
        if not outcome.disk.refused:
            break
        require_well_ended(outcome)
        failed, done = failed + (outcome.run.status == "failed"), done + (outcome.run.status == "done")
        kinds.add(outcome.disk.refused[0].split()[0])
        full_at += 1
    say(f"{full_at - 1} writes refused one by one: {failed} runs failed with a sentence, {done} ended well")
    assert kinds >= {"create", "write", "fsync", "replace", "rename", "mkdir"}
    assert failed > done


@pytest.mark.slow
def test_without_protection_a_full_disk_destroys_the_model(small, monkeypatch):
    """Written in place, as Keras does it alone, the last good model is half overwritten."""

    @contextlib.contextmanager
    def in_place(path: Path) -> Iterator[Path]:
        yield path

    monkeypatch.setattr(saving, "replacing", in_place)
    log = train_on(small).disk.log
    of_model = [place for place, write in enumerate(log, start=1) if write == "write best.keras"]
    # In the middle of the last model of three, or a little earlier: the number of writes varies a little.
    for full_at in range(of_model[-len(of_model) // 6], of_model[0], -1):
        open_cache(small[0]).clear()
        outcome = train_on(small, full_at, stays=True)  # for a moment only, the model would be written once more
        if outcome.disk.refused[:1] == ["write best.keras"]:
            break
    assert outcome.run.status == "failed"
    assert damage_of(outcome.run)
