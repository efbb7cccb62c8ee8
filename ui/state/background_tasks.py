"""Work in the background that a page starts, shows and can cancel: imports, predicted zips, exports, opened models.

A task belongs to the process, not to a browser tab: reloading the page does not lose it. Its thread knows nothing of
the page; pages read how the task stands.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Literal, TypeVar

from tl_core.errors import StoppedError, TransferLearningError
from tl_core.machine.progress import Progress, TaskContext

logger = logging.getLogger(__name__)

State = Literal["waiting", "working", "done", "failed", "stopped"]
ENDED: Final[frozenset[str]] = frozenset({"done", "failed", "stopped"})

Result = TypeVar("Result")

_NOT_BEGUN: Final = Progress()


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """How one piece of work stands."""

    id: str
    title: str  # what is worked on, for people
    subject: str  # what it belongs to, such as a workspace or a run
    state: State = "waiting"
    progress: Progress = _NOT_BEGUN
    result: Result | None = None  # once done
    error: str | None = None  # one sentence, if it failed
    stopping: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


class BackgroundTasks(Generic[Result]):
    """All work of one kind in this process.

    Args:
        name: of one piece of work, for pages, the log and the threads, such as ``import``.
        at_a_time: how many work at once; the others wait for their turn.
        remembered: how many tasks are known; the oldest ended ones are forgotten, with their results.
        unexpected: the sentence for an error that nobody foresaw.
        unit: what its progress counts where it says nothing else, such as ``image``.
    """

    def __init__(self, name: str, *, at_a_time: int, remembered: int, unexpected: str, unit: str = "image") -> None:
        self.name = name
        self.unit = unit
        self._remembered = remembered
        self._unexpected = unexpected
        self._tasks: OrderedDict[str, Task[Result]] = OrderedDict()
        self._lock = threading.RLock()
        self._turns = threading.BoundedSemaphore(at_a_time)

    def start(
        self, title: str, work: Callable[[TaskContext], Result], subject: str = "", *, alone: bool = False
    ) -> str:
        """Begin a piece of work in a thread of its own.

        Args:
            title: what is worked on, for people.
            work: does it, outside the page's thread. It raises `StoppedError` when it has been asked to stop and
                nothing of it is kept.
            subject: what it belongs to.
            alone: whether nothing is begun while work on the same subject has not ended.

        Returns:
            The id of the task, or of the one that is at work already.
        """
        task: Task[Result] = Task(secrets.token_hex(16), title, subject)
        with self._lock:
            if alone and (at_work := self.running(subject)):
                return at_work[0].id
            self._tasks[task.id] = task
            ended = [known.id for known in self._tasks.values() if known.ended]
            for task_id in ended[: max(0, len(self._tasks) - self._remembered)]:
                del self._tasks[task_id]
        threading.Thread(target=self._run, args=(task, work), name=f"{self.name}-{task.id[:8]}", daemon=True).start()
        return task.id

    def find(self, task_id: str | None) -> Task[Result] | None:
        """How a task stands; None if it is not known (any more)."""
        with self._lock:
            return self._tasks.get(task_id or "")

    def latest(self, subject: str) -> Task[Result] | None:
        """How the last task of a subject stands; None if none is known."""
        with self._lock:
            return next((task for task in reversed(self._tasks.values()) if task.subject == subject), None)

    def running(self, subject: str) -> tuple[Task[Result], ...]:
        """The tasks of a subject that have not ended, oldest first."""
        with self._lock:
            return tuple(task for task in self._tasks.values() if task.subject == subject and not task.ended)

    def cancel(self, task_id: str) -> None:
        """Ask a task to stop; nothing of it is kept."""
        if self.find(task_id):
            self._change(task_id, stopping=True)

    def _change(self, task_id: str, **values: Any) -> None:
        with self._lock:
            self._tasks[task_id] = replace(self._tasks[task_id], **values)

    def _run(self, task: Task[Result], work: Callable[[TaskContext], Result]) -> None:
        context = TaskContext(
            lambda progress: self._change(task.id, progress=progress), lambda: self._tasks[task.id].stopping
        )
        with self._turns:
            self._change(task.id, state="working")
            try:
                self._change(task.id, result=work(context), state="done")
            except StoppedError:
                self._change(task.id, state="stopped")
            except TransferLearningError as error:
                logger.info("The %s of %s failed: %s", self.name, task.title, error)
                self._change(task.id, error=str(error), state="failed")
            except Exception:  # the page waits for an end, whatever happened; nothing is hidden
                logger.exception("The %s of %s failed unexpectedly", self.name, task.title)
                self._change(task.id, error=self._unexpected, state="failed")
