"""What `resume` needs to go on where an interrupted training was."""

from __future__ import annotations

import json
import logging
import zipfile
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.files import replacing, write_bytes
from tl_core.runs import Best, RunFolder, read_events
from tl_core.runs.record import CHECKPOINT_FILE
from tl_core.training.phase import PhaseState

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]

_GROUPS: Final = ("variables", "optimizer", "best")
_OF_EPOCHS: Final = ("batch", "epoch", "pinned")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The end of an epoch."""

    state: PhaseState
    last_epoch: int  # of the phase
    variables: list[Array]  # of the trained part
    optimizer: list[Array]


def save_checkpoint(folder: RunFolder, checkpoint: Checkpoint) -> None:
    """Replace the run's checkpoint in one step."""
    state = {name: value for name, value in asdict(checkpoint.state).items() if name != "weights"}
    groups = dict(zip(_GROUPS, (checkpoint.variables, checkpoint.optimizer, checkpoint.state.weights), strict=True))
    arrays: dict[str, Any] = {
        f"{name}_{index}": value for name, values in groups.items() for index, value in enumerate(values)
    }
    head = {
        "state": state,
        "last_epoch": checkpoint.last_epoch,
        "counts": {name: len(groups[name]) for name in _GROUPS},
    }
    with replacing(folder.path / CHECKPOINT_FILE) as temporary, temporary.open("wb") as file:
        np.savez(file, head=np.array(json.dumps(head)), **arrays)


def with_more_epochs(checkpoint: Checkpoint, epochs: int) -> Checkpoint:
    """The same state with so many epochs more to go; patience begins anew."""
    state = replace(checkpoint.state, waited=0, flat=0)
    return replace(checkpoint, state=state, last_epoch=state.next_epoch - 1 + epochs)


def load_checkpoint(folder: RunFolder) -> Checkpoint | None:
    """The run's checkpoint; None, so that the training begins anew, if there is none or it is damaged."""
    try:
        with np.load(folder.path / CHECKPOINT_FILE, allow_pickle=False) as file:
            head = json.loads(str(file["head"]))
            groups = [_group(file, name, head["counts"][name]) for name in _GROUPS]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("The checkpoint is damaged, so the training begins anew: %s", error)
        return None
    values = head["state"]
    best = values.pop("best")
    state = PhaseState(**values, best=best and Best.from_dict(best), weights=groups[2])
    return Checkpoint(state, head["last_epoch"], groups[0], groups[1])


def remove_checkpoint(folder: RunFolder) -> None:
    """Remove it: no further epoch can follow."""
    (folder.path / CHECKPOINT_FILE).unlink(missing_ok=True)


def forget_epochs_from(folder: RunFolder, epoch: int) -> None:
    """Drop the events of epochs that will be trained again, so that each epoch is told once."""
    events = read_events(folder.events_file)
    kept = [event for event in events if event["kind"] not in _OF_EPOCHS or event["epoch"] < epoch]
    if len(kept) < len(events):
        write_bytes(
            folder.events_file, "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in kept).encode()
        )


def _group(file: Any, name: str, count: int) -> list[Array]:
    return [file[f"{name}_{index}"] for index in range(count)]
