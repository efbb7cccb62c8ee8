"""Creating, reading, changing and deleting runs in the workspace."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from tl_core.config import TrainingConfig
from tl_core.config.format_settings import backbone_title
from tl_core.config.phases import extended
from tl_core.data.dataset import Dataset, load_dataset
from tl_core.errors import ConfigError, RunNotFoundError, StoppedError, TransferLearningError, WorkspaceError
from tl_core.runs.annotations import MAX_NAME_LENGTH, changed_annotations, read_annotations
from tl_core.runs.node_report import GONE_AFTER, report_of
from tl_core.runs.progress import trained_epochs
from tl_core.runs.record import (
    PATH_FIELD,
    RECORD_FIELDS,
    Best,
    KeptModel,
    Owner,
    RunFolder,
    RunRecord,
    Status,
    Waiting,
)
from tl_core.runs.recovery import recover_model, reserve_disk, write_with_reserve
from tl_core.storage.event_log import EventLog
from tl_core.storage.files import locked, read_json, write_json
from tl_core.storage.ownership import claim
from tl_core.storage.quota import require_within_quota
from tl_core.storage.repository import Repository
from tl_core.storage.schemas import ANNOTATIONS, RUN
from tl_core.storage.workspace import Workspace, is_id, new_id

UNEXPECTED: Final = "The training ended because of an unexpected error; the details are in the run's log."
_GONE: Final = "This run no longer exists; choose one from the list of runs."
_RECORDED_PACKAGES: Final = ("tensorflow", "keras", "openvino", "numpy", "pillow", "streamlit", "scikit-learn")

# How a value of run.json becomes a value of the record; every other value is taken as it is.
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "config": TrainingConfig.from_file,
    "members": lambda values: tuple(map(TrainingConfig.from_file, values)),
    "classes": tuple,
    "tags": tuple,
    "best": lambda values: values and Best(**values),
    "next_model": lambda values: values and KeptModel(best=Best(**values["best"]), sha256=values["sha256"]),
    "owner": lambda values: values and Owner(**values),
    "waiting": lambda values: values and Waiting(**values),
}


def create_run(workspace: Workspace, config: TrainingConfig, dataset: Dataset, name: str | None = None) -> RunRecord:
    """Make a new run folder with status ``queued``, of the person the workspace is asked for; nothing starts here.

    Raises:
        WorkspaceError: the workspace has reached its quota, or cannot be written.
    """
    require_within_quota(workspace)
    backbone = backbone_title(config) if is_id(config.backbone) else config.backbone  # an id says nothing to people
    name = (name or f"{dataset.name}, {backbone}").strip()[:MAX_NAME_LENGTH]
    run_id = new_id(name)
    path = workspace.runs / run_id
    split_counts: Counter[str] = Counter()
    for of_class in dataset.counts().values():
        split_counts.update(of_class)
    record = RunRecord(
        id=run_id,
        path=path,
        name=name,
        status="queued",
        config=config,
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        dataset_revision=dataset.revision,
        decoding=dataset.decoding,
        classes=dataset.classes,
        split_counts=dict(split_counts),
        created=now(),
        versions=_installed_versions(),
        owner=this_process(),
    )
    claim(workspace, path)  # first, so that nobody else sees it for a moment
    _write(record)
    reserve_disk(path)
    return record


def load_run(path: Path) -> RunRecord:
    """Read one run from its folder.

    A run that shows it is working, but whose process is gone, is given as ``interrupted``: nobody was left to write
    that down. So is one that waits, unless it is in the queue that the next program takes up.

    Raises:
        RunNotFoundError: the folder holds no run.
        NewerVersionError: a newer version of this program wrote it.
        WorkspaceError: its record is damaged.
    """
    record = _read(path)
    in_queue = record.status == "queued" and record.waiting is not None
    if record.active and not in_queue and not is_owned(record):
        record = replace(record, status="interrupted")
    return record if record.active else recover_model(record)


def _read(path: Path) -> RunRecord:
    """The record as it was written."""
    folder = RunFolder(path)
    try:
        values = {**RUN.upgraded(read_json(folder.record_file)), **read_annotations(folder)}
    except FileNotFoundError:
        raise RunNotFoundError(_GONE) from None
    try:
        known = {name: value for name, value in values.items() if name in RECORD_FIELDS}
        parsed = {name: read(known[name]) for name, read in _READERS.items() if name in known}
        return RunRecord(path=path, **{**known, **parsed})
    except (TypeError, KeyError, ConfigError) as error:
        raise WorkspaceError(f"The record of the run {path.name} is damaged and cannot be read.") from error


def dataset_of(run: RunRecord, path: Path | None = None) -> Dataset:
    """The images of a run as they were when it was made, whatever has become of the dataset since.

    Args:
        path: the folder of a dataset; one that is not the run's own is given as it is now.

    Raises:
        DatasetNotFoundError: the dataset was deleted.
        DataError: it is damaged.
    """
    if path is not None and path.name != run.dataset_id:
        return load_dataset(path)
    return load_dataset(path or run.dataset_path, run.dataset_revision)


def find_run(workspace: Workspace, run_id: str) -> RunRecord:
    """Read the run with the id ``run_id``, which may come from outside (a link, the command line).

    Raises:
        RunNotFoundError: there is none.
        NotYoursError: it is somebody else's, who has not shared it.
        WorkspaceError: its record is damaged.
    """
    return RUNS.find(workspace, run_id)


def list_runs(workspace: Workspace) -> list[RunRecord]:
    """All runs that the person may see, newest first; one that cannot be read is logged and left out."""
    return RUNS.list_all(workspace)


def run_exists(workspace: Workspace, run_id: str) -> bool:
    """Whether there is a run with the id ``run_id``, which may come from outside, whoever's it is."""
    return is_id(run_id) and RunFolder(workspace.runs / run_id).record_file.is_file()


def with_more_epochs(run: RunRecord, epochs: int) -> TrainingConfig:
    """The settings of a run that goes on from its last epoch for so many more of the same phase, and then ends.

    Raises:
        WorkspaceError: its last epoch is not saved, or the workspace has reached its quota.
        ConfigError: that would be more epochs than a phase may have.
    """
    if not run.can_go_on:
        raise WorkspaceError(
            f"“{run.name}” cannot go on from its last epoch, which is not kept: train again with more epochs."
        )
    require_within_quota(run.workspace)
    return extended(run.config, trained_epochs(run), epochs)


def require_resumable(run: RunRecord) -> None:
    """Check that a run can go on to its planned end, and that there is room for it.

    Raises:
        WorkspaceError: it cannot be resumed, or the workspace has reached its quota.
    """
    if not run.resumable:
        raise WorkspaceError(f"“{run.name}” was not interrupted ({run.status}), so there is nothing to resume.")
    require_within_quota(run.workspace)


def update_run(path: Path, **changes: Any) -> RunRecord:
    """Write changed fields of the record, and leave those as they are that others change at the same moment.

    For the training and its queue, which need no permission: pages go through `JobManager`.

    Raises:
        RunNotFoundError: the run was deleted.
        WorkspaceError: the record is damaged or cannot be written.
    """
    with _changing(path):
        record = replace(load_run(path), **changes)
        _write(record)
        return record


def end_run(path: Path, status: Status, text: str) -> bool:
    """Record how a run has ended that has not done so itself, in the room on the disk that is kept for it.

    Returns:
        Whether it did; false where the run neither waits nor works any more.

    Raises:
        RunNotFoundError: the run was deleted.
        WorkspaceError: there is no room all the same.
    """
    ended = False

    def record_end() -> None:
        nonlocal ended
        if not ended:
            with _changing(path):
                record = _read(path)  # as written: the process that worked on it may be gone by now
                if not record.active:
                    return
                error = text if status == "failed" else None
                interruption = text if status == "interrupted" else None
                _write(replace(record, status=status, finished=now(), error=error, interruption=interruption))
                ended = True
        with EventLog(RunFolder(path).events_file) as events:
            events.write("end", status=status, text=text)

    write_with_reserve(path, record_end)
    return ended


def ending_of(error: Exception) -> tuple[Status, str]:
    """How a run ends that an error has ended: its status, and the sentence that has the reason."""
    if isinstance(error, StoppedError):
        return "stopped", str(error)
    return "failed", str(error) if isinstance(error, TransferLearningError) else UNEXPECTED


def annotate_run(
    workspace: Workspace,
    run_id: str,
    *,
    name: str | None = None,
    starred: bool | None = None,
    notes: str | None = None,
    tags: Sequence[str] | None = None,
) -> RunRecord:
    """Rename, star, comment or tag a run, at any time, also while it is in progress.

    Raises:
        RunNotFoundError: there is none.
        NotYoursError: it is somebody else's.
        ConfigError: the name is empty, or there are too many or too long tags.
    """
    path = RUNS.require_mine(workspace, run_id)
    with _changing(path):
        record = load_run(path)
        values = changed_annotations(record, name, starred, notes, tags)
        write_json(record.folder.annotations_file, ANNOTATIONS.stamped(values))
        return replace(record, **values)


def delete_run(workspace: Workspace, run_id: str) -> None:
    """Delete a run that is not in progress, with its model.

    Raises:
        RunNotFoundError: there is none.
        NotYoursError: it is somebody else's.
        WorkspaceError: the run waits or works, or its folder cannot be removed.
    """
    record = RUNS.find_mine(workspace, run_id)
    if record.active and is_owned(record):  # what waits for a program that has ended may go
        raise WorkspaceError(f"“{record.name}” is still in progress: stop or cancel it first.")
    RUNS.delete(workspace, run_id)


RUNS: Final = Repository(
    "run",
    lambda workspace: workspace.runs,
    load_run,
    lambda: RunNotFoundError("There is no run of this id; choose one from the list of runs."),
    lambda run: run.created,
)


def this_process() -> Owner:
    """The process that runs this code."""
    return _process(os.getpid())


@functools.cache
def _process(own_pid: int) -> Owner:
    return Owner(pid=own_pid, started=psutil.Process(own_pid).create_time(), host=socket.gethostname())


def is_owned(run: RunRecord) -> bool:
    """Whether the process that owns a run still works; one on another machine is believed to while it reports."""
    if run.owner is not None and run.owner.host not in (None, this_process().host):
        report = report_of(run)
        if report is not None:
            return time.time() - report.t < GONE_AFTER
    return is_alive(run.owner)


def is_alive(owner: Owner | None) -> bool:
    """Whether a process of this machine still works; one that is dead and not yet buried does not."""
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


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[None]:
    try:
        with locked(path):
            yield
    except FileNotFoundError:
        raise RunNotFoundError(_GONE) from None


def _write(record: RunRecord) -> None:
    values = {name: value for name, value in asdict(record).items() if name != PATH_FIELD}
    members = [member.to_file() for member in record.members]
    values |= {"config": record.config.to_file(), "members": members}
    write_json(record.folder.record_file, RUN.stamped(values))


def _installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter, by name."""
    versions = {"python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions
