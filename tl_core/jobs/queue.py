"""The queue of trainings: one runs, the others wait in their order; it outlives every browser tab.

There is one queue per workspace and process, not per browser session: reloading a page, a second browser or a
cleared cache must not lose a training.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tl_core.config import TrainingConfig
from tl_core.errors import WorkspaceError
from tl_core.jobs.supervisor import Job, Supervisor, TrainFunction
from tl_core.runs.store import RUNS, require_resumable, this_process, update_run, with_more_epochs
from tl_core.storage.workspace import Workspace


class JobManager:
    """The queue of one workspace, as one person may use it: only whose run it is can start, stop or cancel it."""

    def __init__(
        self,
        workspace: Workspace,
        train: TrainFunction | None = None,
        resume: TrainFunction | None = None,
        extend: TrainFunction | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = workspace
        self._train = train or _train
        self._resume = resume or _resume
        self._extend = extend or _extend
        self._supervisor = Supervisor(clock)

    def asked_by(self, workspace: Workspace) -> JobManager:
        """The same queue for the person of the workspace."""
        other = copy.copy(self)
        other._workspace = workspace
        return other

    def submit(self, run_id: str) -> None:
        """Queue a run made by `tl_core.runs.create_run`; a run that is queued already stays where it is.

        Raises:
            RunNotFoundError: there is no such run.
            NotYoursError: it is somebody else's.
            WorkspaceError: the run is not waiting to be started.
        """
        run = RUNS.find_mine(self._workspace, run_id)
        if run.status != "queued":
            raise WorkspaceError(f"“{run.name}” has been started before; start a new training instead.")
        self._supervisor.add(run, self._train)

    def resume(self, run_id: str) -> None:
        """Queue a run that was interrupted or stopped; it goes on from its last saved epoch to its planned end.

        Raises:
            RunNotFoundError: there is no such run.
            NotYoursError: it is somebody else's.
            WorkspaceError: there is nothing to go on with, or the run still hangs in a program.
        """
        run = RUNS.find_mine(self._workspace, run_id)
        require_resumable(run)
        run = update_run(run.path, status="queued", owner=this_process(), finished=None, error=None)
        self._supervisor.add(run, self._resume)

    def extend(self, run_id: str, epochs: int) -> None:
        """Queue a run that has ended for so many epochs more of its last phase, with the state of its optimizer.

        Raises:
            RunNotFoundError: there is no such run.
            NotYoursError: it is somebody else's.
            WorkspaceError: its last epoch is not saved.
            ConfigError: that would be more epochs than a phase may have.
        """
        run = RUNS.find_mine(self._workspace, run_id)
        config = with_more_epochs(run, epochs)
        run = update_run(run.path, status="queued", owner=this_process(), finished=None, error=None, config=config)
        self._supervisor.add(run, self._extend)

    def stop(self, run_id: str) -> bool:
        """Stop a run and keep its best model so far; returns whether the run was in progress.

        Raises:
            RunNotFoundError: no run can have this id.
            NotYoursError: it is somebody else's.
        """
        RUNS.require_mine(self._workspace, run_id)
        return self._supervisor.end(run_id, discard=False)

    def cancel(self, run_id: str) -> bool:
        """Stop a run and delete it; returns whether the run was in progress.

        Raises:
            RunNotFoundError: no run can have this id.
            NotYoursError: it is somebody else's.
        """
        RUNS.require_mine(self._workspace, run_id)
        return self._supervisor.end(run_id, discard=True)

    def jobs(self) -> tuple[Job, ...]:
        """Copies of all runs in the queue: first the running one, then the waiting ones in their order."""
        return self._supervisor.jobs()

    def job(self, run_id: str) -> Job | None:
        """The job of one run, or None if it is not in the queue."""
        return next((job for job in self.jobs() if job.run_id == run_id), None)


_managers: dict[Path, JobManager] = {}
_managers_lock = threading.Lock()


def manager(workspace: Workspace) -> JobManager:
    """The one queue of this process for a workspace, for the person of the workspace."""
    with _managers_lock:
        shared = _managers.setdefault(workspace.root, JobManager(Workspace(workspace.root)))
    return shared.asked_by(workspace)


def _train(config: TrainingConfig, dataset: Path, run: Path, should_stop: Callable[[], bool]) -> None:
    from tl_core.training import train  # imports TensorFlow, so only when a training really begins

    train(config, dataset, run, should_stop)


def _resume(config: TrainingConfig, dataset: Path, run: Path, should_stop: Callable[[], bool]) -> None:
    from tl_core.training import resume

    resume(config, dataset, run, should_stop)


def _extend(config: TrainingConfig, dataset: Path, run: Path, should_stop: Callable[[], bool]) -> None:
    from tl_core.training import extend

    extend(config, dataset, run, should_stop)
