"""Creating, reading, changing and deleting runs in the workspace."""

from __future__ import annotations

import functools
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import psutil

from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, RunNotFoundError, TransferLearningError, WorkspaceError
from tl_core.runs.annotations import MAX_NAME_LENGTH, changed_annotations, read_annotations
from tl_core.runs.disk_reserve import reserve_disk
from tl_core.runs.record import (
    ACTIVE,
    PATH_FIELD,
    RECORD_FIELDS,
    Best,
    KeptModel,
    Owner,
    RunFolder,
    RunRecord,
)
from tl_core.runs.recovery import recover_model
from tl_core.runs.versions import installed_versions
from tl_core.storage.files import read_json, write_json
from tl_core.storage.ownership import claim, may_see, require_visible
from tl_core.storage.quota import require_within_quota
from tl_core.storage.workspace import Workspace, is_id, new_id

logger = logging.getLogger(__name__)

# How a value of run.json becomes a value of the record; every other value is taken as it is.
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "config": TrainingConfig.from_dict,
    "classes": tuple,
    "tags": tuple,
    "best": lambda values: values and Best.from_dict(values),
    "next_model": lambda values: values and KeptModel.from_dict(values),
    "owner": lambda values: values and Owner.from_dict(values),
}


class DatasetLike(Protocol):
    """What a run has to know of its dataset; `tl_core.data.Dataset` is one."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    def counts(self) -> dict[str, dict[str, int]]:
        """Images per class and split."""


def create_run(
    workspace: Workspace, config: TrainingConfig, dataset: DatasetLike, name: str | None = None
) -> RunRecord:
    """Make a new run folder with status ``queued``, of the person the workspace is asked for; nothing starts here.

    Raises:
        WorkspaceError: the workspace has reached its quota, or cannot be written.
    """
    require_within_quota(workspace)
    name = (name or f"{dataset.name}, {config.backbone}").strip()[:MAX_NAME_LENGTH]
    run_id = new_id(name)
    path = workspace.runs / run_id
    record = RunRecord(
        id=run_id,
        path=path,
        name=name,
        status="queued",
        config=config,
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        classes=dataset.classes,
        split_counts=_per_split(dataset.counts()),
        created=now(),
        versions=installed_versions(),
        owner=this_process(),
    )
    claim(workspace, path)  # first, so that nobody else sees it for a moment
    _write(record)
    reserve_disk(path)
    return record


def load_run(path: Path) -> RunRecord:
    """Read one run from its folder.

    A run that says it is waiting or working, but whose process is gone, is given as ``interrupted``: nobody
    was left to write that down.

    Raises:
        RunNotFoundError: the folder holds no run.
        WorkspaceError: its record is damaged.
    """
    folder = RunFolder(path)
    try:
        values = {**read_json(folder.record_file), **read_annotations(folder)}
    except FileNotFoundError:
        raise RunNotFoundError("This run no longer exists; choose one from the list of runs.") from None
    try:
        known = {name: value for name, value in values.items() if name in RECORD_FIELDS}
        parsed = {name: _READERS.get(name, _same)(value) for name, value in known.items()}
        record = RunRecord(path=path, **parsed)
    except (TypeError, ConfigError) as error:
        raise WorkspaceError(f"The record of the run {path.name} is damaged and cannot be read.") from error
    if record.status in ACTIVE and not is_alive(record.owner):
        record = replace(record, status="interrupted")
    return record if record.active else recover_model(record)


def find_run(workspace: Workspace, run_id: str) -> RunRecord:
    """Read the run with the id ``run_id``, which may come from outside (a link, the command line).

    Raises:
        RunNotFoundError: there is none.
        NotYoursError: it is somebody else's, who has not shared it.
    """
    if not is_id(run_id):
        raise RunNotFoundError("There is no run of this id; choose one from the list of runs.")
    found = load_run(workspace.runs / run_id)
    require_visible(workspace, found.path, "run")
    return found


def run_exists(workspace: Workspace, run_id: str) -> bool:
    """Whether there is a run with the id ``run_id``, which may come from outside, whoever's it is."""
    return is_id(run_id) and RunFolder(workspace.runs / run_id).record_file.is_file()


def with_more_epochs(run: RunRecord, epochs: int) -> TrainingConfig:
    """The settings of a run that goes on from its last epoch for so many more.

    Raises:
        WorkspaceError: its last epoch is not kept, or the workspace has reached its quota.
        ConfigError: that would be more epochs than a phase may have.
    """
    if not run.can_go_on:
        raise WorkspaceError(
            f"“{run.name}” cannot go on from its last epoch, which is not kept: train again with more epochs."
        )
    require_within_quota(_workspace_of(run))
    return run.config.with_more_epochs(epochs)


def is_hung(run: RunRecord) -> bool:
    """Whether a run was given up for its silence, in a program that still goes on and may still hold it."""
    return run.status == "interrupted" and is_alive(run.owner)


def require_resumable(run: RunRecord) -> None:
    """Check that a run was interrupted, that nothing holds it any more, and that there is room for it.

    Raises:
        WorkspaceError: it cannot be resumed, or not yet, or the workspace has reached its quota.
    """
    if run.status != "interrupted":
        raise WorkspaceError(f"“{run.name}” was not interrupted ({run.status}), so there is nothing to resume.")
    if is_hung(run):
        raise WorkspaceError(
            f"“{run.name}” still hangs in the program that trained it: end that program, start it again, then resume."
        )
    require_within_quota(_workspace_of(run))


def list_runs(workspace: Workspace) -> list[RunRecord]:
    """All runs that the person may see, newest first; one that cannot be read is logged and left out."""
    if not workspace.runs.is_dir():
        return []
    records = []
    for path in workspace.runs.iterdir():
        if not is_id(path.name):
            continue
        try:
            if may_see(workspace, path):
                records.append(load_run(path))
        except TransferLearningError as error:
            logger.warning("Left out of the list of runs: %s (%s)", path.name, error)
    return sorted(records, key=lambda record: record.created, reverse=True)


def update_run(path: Path, **changes: Any) -> RunRecord:
    """Write changed fields of the record; for the training and its queue, not for pages."""
    record = replace(load_run(path), **changes)
    _write(record)
    return record


def annotate_run(
    path: Path,
    *,
    name: str | None = None,
    starred: bool | None = None,
    notes: str | None = None,
    tags: Sequence[str] | None = None,
) -> RunRecord:
    """Rename, star, comment or tag a run, at any time, also while it is in progress.

    Raises:
        ConfigError: the name is empty, or there are too many or too long tags.
    """
    record = load_run(path)
    values = changed_annotations(record, name, starred, notes, tags)
    write_json(record.folder.annotations_file, values)
    return replace(record, **values)


def delete_run(path: Path) -> None:
    """Delete a run that is not in progress, with its model.

    Raises:
        WorkspaceError: the run waits or works, or its folder cannot be removed.
    """
    record = load_run(path)
    if record.active:
        raise WorkspaceError(f"“{record.name}” is still in progress: stop or cancel it first.")
    discard_folder(path)


def discard_folder(path: Path) -> None:
    """Remove a folder; it vanishes from every list in one step, before its files are deleted."""
    doomed = path.with_name(f".deleted-{path.name}")
    try:
        path.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise WorkspaceError(f"{path.name} could not be deleted ({error.strerror}).") from error


def this_process() -> Owner:
    """The process that runs this code."""
    return _process(os.getpid())


@functools.cache
def _process(own_pid: int) -> Owner:
    return Owner(pid=own_pid, started=psutil.Process(own_pid).create_time())


def is_alive(owner: Owner | None) -> bool:
    """Whether the process that owned a run still works; one that is dead and not yet buried does not."""
    if owner is None:
        return False
    if owner == this_process():
        return True  # of a list of runs most are asked about this one, and to ask the system takes longest
    try:
        process = psutil.Process(owner.pid)
        # Clock adjustments move the reported start by fractions of a second.
        return bool(abs(process.create_time() - owner.started) < 2 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def now() -> str:
    """This moment as ISO 8601 in UTC, such as ``2026-01-31T09:30:00.000+00:00``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _write(record: RunRecord) -> None:
    values = {name: value for name, value in asdict(record).items() if name != PATH_FIELD}
    write_json(record.folder.record_file, {**values, "config": record.config.to_dict()})


def _workspace_of(run: RunRecord) -> Workspace:
    return Workspace(run.path.parents[1])


def _same(value: Any) -> Any:
    return value


def _per_split(counts: dict[str, dict[str, int]]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for of_class in counts.values():
        totals.update(of_class)
    return dict(totals)
