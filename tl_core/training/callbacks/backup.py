"""What `resume` needs to go on where an interrupted training was."""

from __future__ import annotations

import json
import logging
import os
import zipfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from tl_core.runs import Best, RunFolder
from tl_core.runs.record import CHECKPOINT_FILE, LATEST_FILES
from tl_core.storage.files import overwriting, replacing
from tl_core.training.phase import TrainerState

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]

_GROUPS: Final = ("variables", "optimizer", "best")
_STATE: Final = tuple(entry.name for entry in fields(TrainerState) if entry.name not in ("best", "weights"))
_END_OF_ZIP: Final = 22  # bytes of the record that ends a zip file without a comment


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The end of an epoch."""

    state: TrainerState
    last_epoch: int  # of the phase
    variables: list[Array]  # of the trained part
    optimizer: list[Array]


def save_checkpoint(folder: RunFolder, checkpoint: Checkpoint, *, flush: bool = True) -> None:
    """Keep it; a crash in the middle leaves an earlier one.

    Args:
        folder: of the run.
        checkpoint: what to keep.
        flush: whether it has to outlive a power cut. One that does not is written many times as fast, beside the last
            one that does, and outlives a killed process all the same.

    Raises:
        WorkspaceError: the disk is full or cannot be written.
    """
    state = {name: getattr(checkpoint.state, name) for name in _STATE}
    best = [] if _best_is_last(checkpoint) else checkpoint.state.weights
    groups = dict(zip(_GROUPS, (checkpoint.variables, checkpoint.optimizer, best), strict=True))
    arrays: dict[str, Any] = {
        f"{name}_{index}": value for name, values in groups.items() for index, value in enumerate(values)
    }
    head = {
        "state": {**state, "best": checkpoint.state.best and asdict(checkpoint.state.best)},
        "best_is_last": _best_is_last(checkpoint),
        "last_epoch": checkpoint.last_epoch,
        "counts": {name: len(groups[name]) for name in _GROUPS},
    }
    arrays["head"] = np.array(json.dumps(head))
    if flush:
        with replacing(folder.path / CHECKPOINT_FILE) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
        return
    in_turns = LATEST_FILES[checkpoint.state.next_epoch % len(LATEST_FILES)]
    with overwriting(folder.path / in_turns) as file:
        _make_unreadable(file)
        np.savez(file, **arrays)


def with_more_epochs(checkpoint: Checkpoint, epochs: int) -> Checkpoint:
    """The same state with so many epochs more to go; patience begins anew."""
    state = replace(checkpoint.state, waited=0, flat=0)
    return replace(checkpoint, state=state, last_epoch=state.next_epoch - 1 + epochs)


def load_checkpoint(folder: RunFolder) -> Checkpoint | None:
    """The run's latest checkpoint; None, so that the training begins anew, if there is none that is whole."""
    found = [_read(folder.path / name) for name in (CHECKPOINT_FILE, *LATEST_FILES)]
    whole = [checkpoint for checkpoint in found if checkpoint is not None]
    return max(whole, key=lambda checkpoint: checkpoint.state.next_epoch, default=None)


def keep_latest(folder: RunFolder) -> None:
    """Of a run that has ended keep the latest checkpoint alone; if that cannot be done, all stay and can be read."""
    target = folder.path / CHECKPOINT_FILE
    files = [file for name in (CHECKPOINT_FILE, *LATEST_FILES) if (file := folder.path / name).exists()]
    newest = max(files, key=lambda file: file.stat().st_mtime_ns, default=target)
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


def _read(path: Path) -> Checkpoint | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            head = json.loads(str(file["head"]))
            groups = [_group(file, name, head["counts"][name]) for name in _GROUPS]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("The checkpoint %s is damaged and left out: %s", path.name, error)
        return None
    values = head["state"]
    best = values.pop("best")
    weights = groups[0] if head.get("best_is_last") else groups[2]
    state = TrainerState(**values, best=best and Best.from_dict(best), weights=weights)
    return Checkpoint(state, head["last_epoch"], groups[0], groups[1])


def _make_unreadable(file: BinaryIO) -> None:
    """Take away the end of a zip file, without which none is read: half overwritten it must not pass for whole."""
    if file.seek(0, os.SEEK_END) >= _END_OF_ZIP:
        file.seek(-_END_OF_ZIP, os.SEEK_END)
        file.write(bytes(_END_OF_ZIP))
        file.flush()
    file.seek(0)


def _best_is_last(checkpoint: Checkpoint) -> bool:
    """Whether the last epoch is the best one, so that one copy of the weights is enough."""
    best = checkpoint.state.best
    return best is not None and best.epoch == checkpoint.state.next_epoch - 1


def _group(file: Any, name: str, count: int) -> list[Array]:
    return [file[f"{name}_{index}"] for index in range(count)]
