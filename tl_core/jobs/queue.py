"""The queue of trainings: some are at work, the others wait in their order; it outlives browser tabs and the program.

There is one queue per process, not per browser session: reloading a page, a second browser or a cleared cache must
not lose a training. What waits has its place in its run folder.
"""

from __future__ import annotations

import copy
import functools
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter

from tl_core.errors import TransferLearningError, WorkspaceError
from tl_core.jobs.runners.ray_cluster import cluster_address
from tl_core.jobs.runners.ray_runner import RayRunner
from tl_core.jobs.runners.runner import Runner
from tl_core.jobs.runners.worker import WorkerRunner
from tl_core.jobs.supervisor import Job, Supervisor
from tl_core.runs.record import Mode, RunRecord, Waiting
from tl_core.runs.store import RUNS, is_owned, require_resumable, this_process, update_run, with_more_epochs
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)


class JobManager:
    """The queue, as one person may use it: only whose run it is can start, move, stop or cancel it."""

    def __init__(
        self, workspace: Workspace, runner: Runner | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._workspace = workspace
        self._supervisor = Supervisor(runner or default_runner(), clock)

    def of(self, workspace: Workspace) -> JobManager:
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
        try:
            self._queue(run, "train")
        except WorkspaceError:  # a full disk: it waits in memory alone, and its training says why it failed
            self._supervisor.add(replace(run, waiting=Waiting("train", time.time())))

    def resume(self, run_id: str) -> None:
        """Queue a run that was interrupted or stopped; it goes on from its last saved epoch to its planned end.

        Raises:
            RunNotFoundError: there is no such run.
            NotYoursError: it is somebody else's.
            WorkspaceError: there is nothing to go on with.
        """
        run = RUNS.find_mine(self._workspace, run_id)
        require_resumable(run)
        self._queue(run, "resume")

    def extend(self, run_id: str, epochs: int) -> None:
        """Queue a run that has ended for so many epochs more of its last phase, with the state of its optimizer.

        Raises:
            RunNotFoundError: there is no such run.
            NotYoursError: it is somebody else's.
            WorkspaceError: its last epoch is not saved.
            ConfigError: that would be more epochs than a phase may have.
        """
        run = RUNS.find_mine(self._workspace, run_id)
        self._queue(run, "extend", config=with_more_epochs(run, epochs))

    def stop(self, run_id: str) -> bool:
        """Stop a run and keep its best model so far; returns whether it was in the queue.

        Raises:
            RunNotFoundError: no run can have this id.
            NotYoursError: it is somebody else's.
        """
        RUNS.require_mine(self._workspace, run_id)
        return self._supervisor.end(run_id, discard=False)

    def cancel(self, run_id: str) -> bool:
        """End a run at once and delete it; returns whether it was in the queue.

        Raises:
            RunNotFoundError: no run can have this id.
            NotYoursError: it is somebody else's.
        """
        RUNS.require_mine(self._workspace, run_id)
        return self._supervisor.end(run_id, discard=True)

    def move(self, run_id: str, steps: int) -> bool:
        """Let a waiting run change places with another waiting run of the same person.

        Nobody is moved behind somebody else: only the person's own places are exchanged.

        Args:
            run_id: the run.
            steps: -1 for the one before, 1 for the one after.

        Returns:
            Whether there was such a run.

        Raises:
            RunNotFoundError: no run can have this id.
            NotYoursError: it is somebody else's.
        """
        RUNS.require_mine(self._workspace, run_id)
        mine = self.movable()
        place = mine.index(run_id) + steps if run_id in mine else -1
        return 0 <= place < len(mine) and self._supervisor.exchange(run_id, mine[place])

    def movable(self) -> tuple[str, ...]:
        """The ids of the person's own waiting runs, in their order."""
        waiting = (job.run_id for job in self.jobs() if job.position)
        return tuple(run_id for run_id in waiting if is_mine(self._workspace, self._workspace.runs / run_id))

    def jobs(self) -> tuple[Job, ...]:
        """Copies of all runs of the workspace in the queue: those at work, then the waiting ones in their order."""
        return self._supervisor.jobs(self._workspace.runs)

    def job(self, run_id: str) -> Job | None:
        """The job of one run, or None if it is not in the queue."""
        return next((job for job in self.jobs() if job.run_id == run_id), None)

    @property
    def starting(self) -> str:
        """What a person reads until a training that was begun is at work: a sentence."""
        return self._supervisor.starting

    def open(self) -> None:
        """Take up what has waited when the last program ended, and prepare for a training; returns at once."""
        self._supervisor.warm_up()
        left = [
            (run.waiting.place, run)
            for run in RUNS.list_all(self._workspace)
            if run.status == "queued" and run.waiting is not None and not is_owned(run)
        ]
        for _, run in sorted(left, key=itemgetter(0)):
            try:
                self._supervisor.add(update_run(run.path, owner=this_process()))
            except TransferLearningError:  # the server begins all the same
                logger.exception("The waiting run %s could not be taken up again", run.id)

    def _queue(self, run: RunRecord, mode: Mode, **changes: object) -> None:
        if self.job(run.id) is not None and run.status == "queued":
            return
        self._supervisor.wait_until_let_go(run.id)
        waiting = Waiting(mode, time.time())
        self._supervisor.add(
            update_run(
                run.path,
                **changes,
                status="queued",
                owner=this_process(),
                finished=None,
                error=None,
                interruption=None,
                waiting=waiting,
            )
        )


def default_runner() -> Runner:
    """What trainings run in: a cluster where one is named, else worker processes here."""
    address = cluster_address()
    return WorkerRunner() if address is None else RayRunner(address)


@functools.cache
def _queue_of_this_process() -> JobManager:
    return JobManager(Workspace.from_environment())


def manager(workspace: Workspace) -> JobManager:
    """The one queue of this process, for the person of the workspace."""
    return _queue_of_this_process().of(workspace)
