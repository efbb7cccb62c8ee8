"""How much of a run MLflow has, in a file of the run's folder that is written by whoever sends it alone."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tl_core.errors import RunNotFoundError, TransferLearningError
from tl_core.runs.record import RunFolder
from tl_core.storage.files import read_json, write_json
from tl_core.storage.schemas import TRACKING

FILE: Final = "mlflow.json"


@dataclass(frozen=True, slots=True)
class Sent:
    """What one place has of one run."""

    uri: str = ""
    run_id: str = ""  # MLflow's; empty: it has none yet
    page: str = ""  # where a person sees it, if it is a server
    generation: str = ""  # of the event log; see `tl_core.storage.event_log`
    events: int = 0  # of this generation, which were sent
    problem: str | None = None  # a sentence, while something is missing


def sent_of(folder: RunFolder) -> Sent:
    """What is known; nothing where the file is missing or damaged, so that all is sent again."""
    with contextlib.suppress(FileNotFoundError, TransferLearningError, TypeError):
        return Sent(**TRACKING.upgraded(read_json(_file(folder))))
    return Sent()


def write_sent(folder: RunFolder, sent: Sent) -> None:
    """Write it down.

    Raises:
        RunNotFoundError: the run was deleted.
        WorkspaceError: the disk is full.
    """
    if not folder.record_file.is_file():  # else its folder would be made anew
        raise RunNotFoundError(f"The run {folder.path.name} no longer exists; choose one from the list of runs.")
    write_json(_file(folder), TRACKING.stamped(asdict(sent)))


def _file(folder: RunFolder) -> Path:
    return folder.tracking_folder / FILE
