"""Writes after every epoch what a training needs to go on: after an interruption, or for more epochs.

A checkpoint is one ``.npz`` file: ``head`` holds the plain values as JSON, all other entries are arrays. Version 1
had one ``state`` for all that is now saved callback by callback; it is read, too.
"""

from __future__ import annotations

import json
import logging
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from tl_core.config.phases import HEAD, PHASE_TITLES
from tl_core.errors import TransferLearningError
from tl_core.runs import RunFolder, read_events
from tl_core.runs.record import CHECKPOINT_FILE, LATEST_FILES
from tl_core.storage.files import overwriting, replacing
from tl_core.training.callbacks.best_model import BestModel
from tl_core.training.callbacks.early_stopping import EarlyStopping
from tl_core.training.callbacks.event_log import EventLogger
from tl_core.training.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from tl_core.training.trainer import Array, Callback, Checkpoint, EpochLogs, States, Trainer

logger = logging.getLogger(__name__)

CHECKPOINT_INTERVAL: Final = 10.0  # seconds between two checkpoints that outlive a power cut; others: every epoch
MAX_LAST_CHECKPOINT: Final = 200 << 20  # bytes saved of a run that has ended, so that more epochs can follow
VERSION: Final = 2
_PLAIN: Final = {"phase": str, "first_epoch": int, "epoch": int, "batch_size": int}
_END_OF_ZIP: Final = 22  # bytes of the record that ends a zip file without a comment
_UNREADABLE: Final = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, TransferLearningError,
)  # fmt: skip


class Backup(Callback):
    """Saves the latest epoch in the folder of the run."""

    def __init__(self, folder: RunFolder, log: EventLogger) -> None:
        self._folder = folder
        self._log = log
        self._flushed = time.monotonic()
        self._bytes = 0  # of the latest checkpoint

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        """Write every epoch; flushed to the disk now and then, and at the end of a phase."""
        last = trainer.stop_phase or epoch >= trainer.last_epoch
        flush = last or time.monotonic() - self._flushed >= CHECKPOINT_INTERVAL
        if flush:
            self._log.slow_step()
        checkpoint = Checkpoint(
            phase=trainer.phase.name,
            first_epoch=trainer.first_epoch,
            epoch=epoch,
            batch_size=trainer.batch_size,
            callbacks={callback.name: callback.state_dict() for callback in trainer.callbacks if callback.name},
            variables=[variable.value.numpy() for variable in trainer.variables],
            optimizer=[variable.value.numpy() for variable in trainer.optimizer.variables],
        )
        save_checkpoint(self._folder, checkpoint, flush=flush)
        if flush:
            self._flushed = time.monotonic()
        self._bytes = sum(array.nbytes for array in (*checkpoint.variables, *checkpoint.optimizer))

    def on_train_end(self, trainer: Trainer) -> None:
        """Keep only the latest, unless it is large."""
        if self._bytes > MAX_LAST_CHECKPOINT:
            remove_checkpoint(self._folder)
        else:
            keep_latest(self._folder)


def save_checkpoint(folder: RunFolder, checkpoint: Checkpoint, *, flush: bool = True) -> None:
    """Save it; a crash in the middle leaves an earlier one.

    With ``flush`` it outlives a power cut. One without is written many times as fast, beside the last one with it,
    and outlives a killed process all the same.

    Raises:
        WorkspaceError: the disk is full or cannot be written.
    """
    arrays = _to_arrays(checkpoint)
    if flush:
        with replacing(folder.path / CHECKPOINT_FILE) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
        return
    in_turns = LATEST_FILES[(checkpoint.epoch + 1) % len(LATEST_FILES)]
    with overwriting(folder.path / in_turns) as file:
        _make_unreadable(file)
        np.savez(file, **arrays)


def load_checkpoint(folder: RunFolder) -> Checkpoint | None:
    """The run's latest checkpoint; None, so that the training start again, if there is none that can be read."""
    found = [_read(folder.path / name, folder) for name in (CHECKPOINT_FILE, *LATEST_FILES)]
    readable = [checkpoint for checkpoint in found if checkpoint is not None]
    return max(readable, key=lambda checkpoint: checkpoint.epoch, default=None)


def keep_latest(folder: RunFolder) -> None:
    """Of a run that has ended keep the latest checkpoint alone; if that cannot be done, all stay and can be read."""
    target = folder.path / CHECKPOINT_FILE
    epochs = {folder.path / name: _epoch_in(folder.path / name) for name in (CHECKPOINT_FILE, *LATEST_FILES)}
    newest = max(epochs, key=epochs.__getitem__)
    try:
        if newest != target:
            newest.replace(target)
        for name in LATEST_FILES:
            (folder.path / name).unlink(missing_ok=True)
    except OSError as error:
        logger.warning("The checkpoints of a run that has ended stay as they are: %s", error)


def remove_checkpoint(folder: RunFolder) -> None:
    """Remove it: no further epoch can follow."""
    for name in (CHECKPOINT_FILE, *LATEST_FILES):
        (folder.path / name).unlink(missing_ok=True)


def _to_arrays(checkpoint: Checkpoint) -> dict[str, Any]:
    groups: dict[str, list[Array]] = {"variables": checkpoint.variables, "optimizer": checkpoint.optimizer}
    states: States = {}
    for name, state in checkpoint.callbacks.items():
        lists = {key: value for key, value in state.items() if isinstance(value, list)}
        states[name] = {key: value for key, value in state.items() if key not in lists}
        groups |= {f"{name}/{key}": value for key, value in lists.items()}
    counts = {name: len(values) for name, values in groups.items()}
    plain = {name: getattr(checkpoint, name) for name in _PLAIN}
    head = {"version": VERSION, **plain, "callbacks": states, "counts": counts}
    arrays = {f"{name}_{index}": value for name, values in groups.items() for index, value in enumerate(values)}
    return {**arrays, "head": np.array(json.dumps(head))}


def _read(path: Path, folder: RunFolder) -> Checkpoint | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            head = _head(file)
            groups = {
                name: [file[f"{name}_{index}"] for index in range(count)] for name, count in head["counts"].items()
            }
        if head["version"] == 1:
            head = _from_version_1(head, groups, folder)
        return _checked(head, groups)
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        logger.warning("The checkpoint %s is damaged, or of another version, and left out: %s", path.name, error)
        return None


def _head(file: Mapping[str, Any]) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(str(file["head"]))
    version = head.setdefault("version", 1)
    if version not in (1, VERSION):
        raise ValueError(f"version {version}")
    return head


def _from_version_1(head: dict[str, Any], groups: dict[str, list[Array]], folder: RunFolder) -> dict[str, Any]:
    state = head["state"]
    known = {"phase", "next_epoch", "batch_size", "phase_best", "waited", "flat", "best"}
    if unknown := state.keys() - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    current = bool(head["best_is_last"])
    counters = {EarlyStopping.name: state["waited"], ReduceLROnPlateau.name: state["flat"]}
    states: States = {name: {"best": state["phase_best"], "wait": wait} for name, wait in counters.items()}
    weights = [] if current else groups["best"]
    states[BestModel.name] = {"best": state["best"], "current": current, "weights": weights, "outdated": True}
    first_epoch = _first_epoch(folder, state["phase"], state["next_epoch"])
    return {**state, "first_epoch": first_epoch, "epoch": state["next_epoch"] - 1, "callbacks": states}


def _first_epoch(folder: RunFolder, phase: str, next_epoch: int) -> int:
    """What version 1 did not save, from the events of the run."""
    if phase == HEAD:
        return 1
    told = (event for event in read_events(folder.events_file) if event["kind"] == "epoch")
    return min((int(event["epoch"]) for event in told if event["phase"] == phase), default=next_epoch)


def _checked(head: dict[str, Any], groups: dict[str, list[Array]]) -> Checkpoint:
    """Let every callback try its state, so that one of another form shows before anything is trained."""
    states = head["callbacks"]
    for name, values in groups.items():
        owner, _, key = name.partition("/")
        if key:
            states[owner][key] = values
    plain = {name: convert(head[name]) for name, convert in _PLAIN.items()}
    if plain["phase"] not in PHASE_TITLES:
        raise ValueError(f"phase {plain['phase']}")
    for callback in (BestModel(), EarlyStopping(None), ReduceLROnPlateau()):
        if callback.name in states:
            callback.load_state_dict(states[callback.name])
    return Checkpoint(**plain, callbacks=states, variables=groups["variables"], optimizer=groups["optimizer"])


def _epoch_in(path: Path) -> int:
    """Which epoch a file is of; -1 where it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            head = _head(file)
        return int(head["state"]["next_epoch"]) - 1 if head["version"] == 1 else int(head["epoch"])
    except _UNREADABLE:
        return -1  # none, damaged or of another version: `load_checkpoint` notes it


def _make_unreadable(file: BinaryIO) -> None:
    """Take away the end of a zip file, without which none is read: half overwritten it must not pass for whole."""
    if file.seek(0, os.SEEK_END) >= _END_OF_ZIP:
        file.seek(-_END_OF_ZIP, os.SEEK_END)
        file.write(bytes(_END_OF_ZIP))
        file.flush()
    file.seek(0)
