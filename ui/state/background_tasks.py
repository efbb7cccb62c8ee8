"""Work in the background that a page starts, shows and can cancel: imports, predicted zips, exports.

A task belongs to the process, not to a browser tab: reloading the page does not lose it. Its thread knows nothing of
the page; it writes into the task, and pages read copies of it.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Literal, TypeVar

from tl_core.errors import StoppedError, TransferLearningError

logger = logging.getLogger(__name__)

State = Literal["waiting", "working", "done", "failed", "stopped"]
ENDED: Final[frozenset[str]] = frozenset({"done", "failed", "stopped"})

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """A copy of how one piece of work stands."""

    id: str
    title: str  # what is worked on, for people
    subject: str  # what it belongs to, such as a workspace or a run
    state: State = "waiting"
    stage: str = ""  # what it is doing just now, in the words of the work
    done: float = 0  # of `total`, in the unit of the stage
    total: float = 0  # 0 = not known yet
    result: Result | None = None  # once done
    error: str | None = None  # one sentence, if it failed
    stopping: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED

    @property
    def fraction(self) -> float:
        """How much of the current stage is done, 0-1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(slots=True)
class Reporter(Generic[Result]):
    """What the work is given: where to report to, and whether to stop."""

    _task: Task[Result]
    _stop: threading.Event = field(default_factory=threading.Event)

    def progress(self, done: float, total: float, stage: str = "") -> None:
        """Take how much is done, and of what."""
        self._task = replace(self._task, done=done, total=total, stage=stage)

    def should_stop(self) -> bool:
        """Whether the person has asked to cancel."""
        return self._stop.is_set()

    def snapshot(self) -> Task[Result]:
        """A copy of how it stands."""
        return replace(self._task, stopping=self._stop.is_set())

    def _begin(self) -> None:
        self._task = replace(self._task, state="working")

    def _cancel(self) -> None:
        self._stop.set()

    def _end(self, state: State, *, result: Result | None = None, error: str | None = None) -> None:
        self._task = replace(self._task, state=state, result=result, error=error)


class BackgroundTasks(Generic[Result]):
    """All work of one kind in this process.

    Args:
        name: of one piece of work, for the log and the threads, such as ``import``.
        at_a_time: how many work at once; the others wait for their turn.
        remembered: how many tasks are known; the oldest ended ones are forgotten, with their results.
        unexpected: the sentence for an error that nobody foresaw.
    """

    def __init__(self, name: str, *, at_a_time: int, remembered: int, unexpected: str) -> None:
        self.name = name
        self.at_a_time = at_a_time
        self.remembered = remembered
        self.unexpected = unexpected
        self._reporters: OrderedDict[str, Reporter[Result]] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(at_a_time)

    def start(
        self, title: str, work: Callable[[Reporter[Result]], Result], subject: str = "", *, alone: bool = False
    ) -> str:
        """Begin a piece of work in a thread of its own.

        Args:
            title: what is worked on, for people.
            work: does it, reporting to and asking the `Reporter`; runs outside the page's thread. It raises
                `StoppedError` when it has been asked to stop and nothing of it is kept.
            subject: what it belongs to.
            alone: whether nothing is begun while work on the same subject has not ended.

        Returns:
            The id of the task, or of the one that is at work already.
        """
        reporter: Reporter[Result] = Reporter(Task(secrets.token_hex(16), title, subject))
        task_id = reporter.snapshot().id
        with self._lock:
            at_work = [task.id for task in self._snapshots() if task.subject == subject and not task.ended]
            if alone and at_work:
                return at_work[0]
            self._reporters[task_id] = reporter
            self._forget_old()
        name = f"{self.name}-{task_id[:8]}"
        threading.Thread(target=self._run, args=(reporter, work), name=name, daemon=True).start()
        return task_id

    def find(self, task_id: str | None) -> Task[Result] | None:
        """How a task stands; None if it is not known (any more)."""
        with self._lock:
            reporter = self._reporters.get(task_id or "")
        return reporter.snapshot() if reporter else None

    def latest(self, subject: str) -> Task[Result] | None:
        """How the last task of a subject stands; None if none is known."""
        with self._lock:
            return next((task for task in reversed(self._snapshots()) if task.subject == subject), None)

    def running(self, subject: str) -> tuple[Task[Result], ...]:
        """The tasks of a subject that have not ended, oldest first."""
        with self._lock:
            return tuple(task for task in self._snapshots() if task.subject == subject and not task.ended)

    def cancel(self, task_id: str) -> None:
        """Ask a task to stop; nothing of it is kept."""
        with self._lock:
            reporter = self._reporters.get(task_id)
        if reporter:
            reporter._cancel()

    def _run(self, reporter: Reporter[Result], work: Callable[[Reporter[Result]], Result]) -> None:
        title = reporter.snapshot().title
        with self._turns:
            reporter._begin()
            try:
                result = work(reporter)
            except StoppedError:
                reporter._end("stopped")
            except TransferLearningError as error:
                logger.info("The %s of %s failed: %s", self.name, title, error)
                reporter._end("failed", error=str(error))
            except Exception:  # the page waits for an end, whatever happened; nothing is hidden
                logger.exception("The %s of %s failed unexpectedly", self.name, title)
                reporter._end("failed", error=self.unexpected)
            else:
                reporter._end("done", result=result)

    def _snapshots(self) -> list[Task[Result]]:
        return [reporter.snapshot() for reporter in self._reporters.values()]

    def _forget_old(self) -> None:
        ended = [task.id for task in self._snapshots() if task.ended]
        for task_id in ended[: max(0, len(self._reporters) - self.remembered)]:
            del self._reporters[task_id]
