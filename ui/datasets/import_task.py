"""Imports in the background, so that the page stays responsive and can cancel one.

A task belongs to the process, not to a browser tab: reloading the page does not lose it. The threads know nothing
of the page; they write into the task, and pages read copies of it.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from tl_core.data import Dataset
from tl_core.errors import StoppedError, TransferLearningError
from tl_core.workspace import Workspace

logger = logging.getLogger(__name__)

State = Literal["waiting", "downloading", "importing", "done", "failed", "stopped"]
ENDED: Final[frozenset[str]] = frozenset({"done", "failed", "stopped"})
AT_A_TIME: Final = 2  # each may hold an upload of 200 MB in memory
REMEMBERED: Final = 50  # tasks; the oldest ended ones are forgotten

UNEXPECTED: Final = (
    "The import ended because of an unexpected error; nothing of it was kept. The log has the details."
)


@dataclass(frozen=True, slots=True)
class ImportTask:
    """A copy of how one import stands."""

    id: str
    title: str  # what is imported, for people
    state: State = "waiting"
    done: int = 0  # bytes while downloading, else images
    total: int = 0  # 0 = not known yet
    dataset_id: str | None = None  # once done
    error: str | None = None  # one sentence, if it failed
    stopping: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED

    @property
    def fraction(self) -> float:
        """How much of the current state is done, 0-1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(slots=True)
class Reporter:
    """What the importing function is given: where to report to, and whether to stop."""

    _task: ImportTask
    _stop: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Record that it is its turn."""
        self._task = replace(self._task, state="importing")

    def progress(self, done: int, total: int) -> None:
        """Take the number of images done."""
        self._task = replace(self._task, state="importing", done=done, total=total)

    def download_progress(self, done: int, total: int) -> None:
        """Take the number of bytes that have arrived."""
        self._task = replace(self._task, state="downloading", done=done, total=total)

    def should_stop(self) -> bool:
        """Whether the person has asked to cancel."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Ask the import to stop."""
        self._stop.set()

    def end(self, state: State, *, dataset_id: str | None = None, error: str | None = None) -> None:
        """Record how it ended."""
        self._task = replace(self._task, state=state, dataset_id=dataset_id, error=error)

    def snapshot(self) -> ImportTask:
        """A copy of how it stands."""
        return replace(self._task, stopping=self._stop.is_set())


Work = Callable[[Reporter], Dataset]

_tasks: OrderedDict[str, tuple[Workspace, Reporter]] = OrderedDict()
_lock = threading.Lock()
_turns = threading.BoundedSemaphore(AT_A_TIME)


def start_import(workspace: Workspace, title: str, work: Work) -> str:
    """Begin an import in a thread of its own.

    Args:
        workspace: where the dataset is made.
        title: what is imported, for people.
        work: does it, reporting to and asking the `Reporter`; runs outside the page's thread.

    Returns:
        The task's id, for `import_task`.
    """
    task_id = secrets.token_hex(16)
    reporter = Reporter(ImportTask(task_id, title))
    with _lock:
        _tasks[task_id] = (workspace, reporter)
        _forget_old()
    threading.Thread(target=_run, args=(reporter, work), name=f"import-{task_id[:8]}", daemon=True).start()
    return task_id


def import_task(task_id: str) -> ImportTask | None:
    """How an import stands; None if it is not known (any more)."""
    with _lock:
        found = _tasks.get(task_id)
    return found[1].snapshot() if found else None


def running_imports(workspace: Workspace) -> tuple[ImportTask, ...]:
    """The imports into a workspace that have not ended, oldest first."""
    with _lock:
        reporters = [reporter for where, reporter in _tasks.values() if where == workspace]
    return tuple(task for reporter in reporters if not (task := reporter.snapshot()).ended)


def cancel_import(task_id: str) -> None:
    """Ask an import to stop; nothing of it is kept."""
    with _lock:
        found = _tasks.get(task_id)
    if found:
        found[1].cancel()


def _run(reporter: Reporter, work: Work) -> None:
    with _turns:
        reporter.begin()
        try:
            dataset = work(reporter)
        except StoppedError:
            reporter.end("stopped")
        except TransferLearningError as error:
            logger.info("The import of %s failed: %s", reporter.snapshot().title, error)
            reporter.end("failed", error=str(error))
        except Exception:  # the page waits for an end, whatever happened; nothing is hidden
            logger.exception("The import of %s failed unexpectedly", reporter.snapshot().title)
            reporter.end("failed", error=UNEXPECTED)
        else:
            reporter.end("done", dataset_id=dataset.id)


def _forget_old() -> None:
    ended = [task_id for task_id, (_, reporter) in _tasks.items() if reporter.snapshot().ended]
    for task_id in ended[: max(0, len(_tasks) - REMEMBERED)]:
        del _tasks[task_id]
