"""A checkpoint that is cut off at any of its writes leaves the one before it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.full_disk import full_disk
from tl_core.errors import WorkspaceError
from tl_core.runs import RunFolder
from tl_core.runs.record import CHECKPOINT_FILE, LATEST_FILES
from tl_core.training.callbacks.backup import keep_latest, load_checkpoint, save_checkpoint
from tl_core.training.trainer import Checkpoint

EPOCHS = 3  # whole ones; the next is cut off


def checkpoint_of(epoch: int) -> Checkpoint:
    """Every value is the number of its epoch; the best epoch is the first."""
    arrays = [np.full((300, 100), epoch, np.float32), np.full(7, epoch, np.float32)]
    best = {"epoch": 1, "phase": "head", "val_loss": 1.0, "val_accuracy": 0.5}
    return Checkpoint(
        phase="head",
        first_epoch=1,
        epoch=epoch,
        batch_size=8,
        callbacks={"best_model": {"best": best, "current": False, "weights": [np.full(5, 1, np.float32)]}},
        variables=arrays,
        optimizer=[array + 0.5 for array in arrays],
    )


def require_whole(found: Checkpoint | None, epoch: int) -> None:
    expected = checkpoint_of(epoch)
    assert found is not None
    assert found.epoch == epoch
    for name in ("variables", "optimizer"):
        for array, wanted in zip(getattr(found, name), getattr(expected, name), strict=True):
            assert np.array_equal(array, wanted)


@pytest.mark.parametrize("flush", [False, True], ids=["overwritten", "flushed"])
def test_a_checkpoint_cut_off_anywhere_leaves_the_one_before(tmp_path: Path, flush: bool):
    cut_off = 0
    for full_at in range(1, 1000):
        folder = RunFolder(tmp_path / str(full_at))
        folder.path.mkdir()
        for epoch in range(1, EPOCHS + 1):
            save_checkpoint(folder, checkpoint_of(epoch), flush=False)
        with full_disk(folder.path, full_at, stays=True) as disk:
            save_the_next(folder, flush=flush)
        if not disk.refused:
            require_whole(load_checkpoint(folder), EPOCHS + 1)
            break
        cut_off += 1
        found = load_checkpoint(folder)
        in_place = flush and found is not None and found.epoch == EPOCHS + 1
        require_whole(found, EPOCHS + 1 if in_place else EPOCHS)
    assert cut_off >= 5


def save_the_next(folder: RunFolder, *, flush: bool) -> None:
    with contextlib.suppress(WorkspaceError):
        save_checkpoint(folder, checkpoint_of(EPOCHS + 1), flush=flush)


def test_one_file_overwritten_in_its_place_would_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tl_core.training.callbacks.backup.LATEST_FILES", LATEST_FILES[:1])
    folder = RunFolder(tmp_path)
    save_checkpoint(folder, checkpoint_of(1), flush=False)
    with full_disk(tmp_path, 3, stays=True) as disk:
        save_the_next(folder, flush=False)
    assert disk.refused
    assert load_checkpoint(folder) is None


def test_of_an_ended_run_the_latest_is_kept_alone(tmp_path: Path):
    folder = RunFolder(tmp_path)
    save_checkpoint(folder, checkpoint_of(1), flush=True)
    for epoch in (2, 3):
        save_checkpoint(folder, checkpoint_of(epoch), flush=False)
    keep_latest(folder)
    assert [file.name for file in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    require_whole(load_checkpoint(folder), 3)


def test_the_newest_is_told_by_its_epoch_and_not_by_the_clock(tmp_path: Path):
    """The clock of a machine may be put back."""
    folder = RunFolder(tmp_path)
    for epoch in (1, 2, 3):
        save_checkpoint(folder, checkpoint_of(epoch), flush=epoch == 1)
        newest = max(tmp_path.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        os.utime(newest, (1_000_000_000 - epoch, 1_000_000_000 - epoch))
    keep_latest(folder)
    assert [file.name for file in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    require_whole(load_checkpoint(folder), 3)


def changed_head(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """A checkpoint of another version of the program."""
    with np.load(file) as stored:
        arrays: dict[str, Any] = dict(stored)
    head = json.loads(str(arrays["head"]))
    change(head)
    np.savez(file, **{**arrays, "head": np.array(json.dumps(head))})


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head["callbacks"]["best_model"].update(best="the third"),
        lambda head: head.update(callbacks="of another form"),
        lambda head: head.update(version=99),
        lambda head: head.update(callbacks=None),
        lambda head: head.pop("epoch"),
    ],
    ids=["another best model", "another form", "a later version", "nothing", "left out"],
)
def test_a_checkpoint_of_another_form_is_none(tmp_path: Path, change, caplog):
    folder = RunFolder(tmp_path)
    save_checkpoint(folder, checkpoint_of(1))
    changed_head(tmp_path / CHECKPOINT_FILE, change)
    assert load_checkpoint(folder) is None
    assert "left out" in caplog.text
