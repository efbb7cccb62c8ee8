"""The last epochs of a run, saved beside its best one if the configuration says so.

``runs/<id>/epochs/`` holds one file per saved epoch with the weights that learn, ``epochs.json`` with the list of
them, and, where fine-tuning has begun while epochs of feature extraction are saved, ``backbone.npz`` with the layers
that it changes as they were before. All other weights are those of ``best.keras``: they never change.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.config.phases import HEAD
from tl_core.errors import ModelUnavailableError, WorkspaceError
from tl_core.runs import RunFolder, RunRecord
from tl_core.storage.files import read_json, write_bytes, write_json
from tl_core.storage.schemas import EPOCHS

logger = logging.getLogger(__name__)

Weights = Mapping[str, npt.NDArray[Any]]
"""By part, layer and place, such as ``head/dense_1/0``."""

LIST: Final = "epochs.json"
BACKBONE: Final = "backbone.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochCheckpoint:
    """One saved epoch."""

    epoch: int  # counted from 1 over both phases
    phase: str  # head or fine_tune
    val_accuracy: float  # 0-1
    sha256: str  # of its file


def epoch_checkpoints(folder: RunFolder) -> tuple[EpochCheckpoint, ...]:
    """The saved epochs of a run, oldest first; none if their list is damaged.

    Raises:
        NewerVersionError: a newer version of this program wrote the list.
    """
    try:
        entries = EPOCHS.upgraded_list(read_json(folder.epochs_folder / LIST))
        return tuple(EpochCheckpoint(**entry) for entry in entries)
    except FileNotFoundError:
        return ()
    except (WorkspaceError, KeyError, TypeError) as error:
        logger.warning("The kept epochs of the run %s are left out: %s", folder.path.name, error)
        return ()


def find_epoch(run: RunRecord, epoch: int) -> EpochCheckpoint:
    """One saved epoch.

    Raises:
        ModelUnavailableError: it is not saved (any more).
    """
    kept = epoch_checkpoints(run.folder)
    found = next((entry for entry in kept if entry.epoch == epoch), None)
    if found is None:
        others = ", ".join(str(entry.epoch) for entry in kept)
        what = f"choose one of the kept epochs ({others}) or the best one" if kept else "choose its best epoch"
        raise ModelUnavailableError(f"Epoch {epoch} of “{run.name}” is not kept: {what}.")
    return found


def epoch_file(folder: RunFolder, epoch: int) -> Path:
    """Where the weights of an epoch are."""
    return folder.epochs_folder / f"{epoch}.npz"


def save_epoch(folder: RunFolder, epoch: int, phase: str, val_accuracy: float, weights: Weights) -> EpochCheckpoint:
    """Write the weights of an epoch; it is found only once it is in the list, see `save_epoch_list`.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    data = _packed(weights)
    write_bytes(epoch_file(folder, epoch), data)
    return EpochCheckpoint(
        epoch=epoch, phase=phase, val_accuracy=val_accuracy, sha256=hashlib.sha256(data).hexdigest()
    )


def save_epoch_list(folder: RunFolder, kept: Sequence[EpochCheckpoint]) -> None:
    """Make these the saved epochs, and delete the files of all others.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    if not kept and not folder.epochs_folder.is_dir():
        return
    write_json(folder.epochs_folder / LIST, EPOCHS.stamped_list([asdict(entry) for entry in kept]))
    needed = {LIST, *(epoch_file(folder, entry.epoch).name for entry in kept)}
    if any(entry.phase == HEAD for entry in kept):
        needed.add(BACKBONE)
    # The backbone goes last: while an epoch's file is there, what it needs is there, too.
    for path in sorted(folder.epochs_folder.iterdir(), key=lambda path: path.name == BACKBONE):
        if path.name not in needed:
            path.unlink(missing_ok=True)


def save_epoch_backbone(folder: RunFolder, weights: Weights) -> None:
    """Save the layers that fine-tuning will change, for the epochs before it.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    write_bytes(folder.epochs_folder / BACKBONE, _packed(weights))


def read_epoch(run: RunRecord, epoch: int) -> dict[str, npt.NDArray[Any]]:
    """All weights in which this epoch may differ from the best model, which must have been read before.

    Raises:
        ModelUnavailableError: the epoch is not saved (any more), or its file is damaged or was changed from outside.
    """
    found, path = find_epoch(run, epoch), epoch_file(run.folder, epoch)
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != found.sha256:
            raise _damaged(run, epoch)
        before = _unpacked(run.folder.epochs_folder / BACKBONE) if found.phase == HEAD else {}
        weights = {**before, **_unpacked(io.BytesIO(data))}
        path.stat()  # still there: so was the backbone that belongs to it
    except FileNotFoundError:
        raise ModelUnavailableError(
            f"Epoch {epoch} of “{run.name}” has just made room for a newer one: choose another."
        ) from None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(run, epoch) from error
    return weights


def _packed(weights: Weights) -> bytes:
    packed = io.BytesIO()
    arrays: dict[str, Any] = dict(weights)
    np.savez(packed, **arrays)
    return packed.getvalue()


def _unpacked(source: Path | io.BytesIO) -> dict[str, npt.NDArray[Any]]:
    if isinstance(source, Path) and not source.exists():
        return {}  # fine-tuning has not begun
    with np.load(source, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _damaged(run: RunRecord, epoch: int) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"The file of epoch {epoch} of “{run.name}” is damaged or was changed from outside, so it is not used: "
        "choose another epoch."
    )
