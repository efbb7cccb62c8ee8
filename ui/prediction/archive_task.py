"""Predicting a whole zip in the background, so that the page stays responsive and can cancel it.

A task belongs to the process, not to a browser tab: reloading the page does not lose it. Its thread knows nothing of
the page; it writes into the task, and pages read copies of it.
"""

from __future__ import annotations

import io
import logging
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tl_core.errors import StoppedError, TransferLearningError

if TYPE_CHECKING:
    from tl_core.prediction import FileAnswer

logger = logging.getLogger(__name__)

State = Literal["waiting", "working", "done", "failed", "stopped"]
ENDED: Final[frozenset[str]] = frozenset({"done", "failed", "stopped"})
AT_A_TIME: Final = 1  # each holds an upload of up to 200 MB in memory
REMEMBERED: Final = 8  # tasks with their answers; the oldest ended ones are forgotten

UNEXPECTED: Final = "The prediction ended because of an unexpected error; the server's log has the details."


@dataclass(frozen=True, slots=True)
class ArchiveTask:
    """A copy of how one prediction stands."""

    id: str
    name: str  # of the zip file
    run_id: str
    state: State = "waiting"
    done: int = 0  # images
    total: int = 0  # 0 = not known yet
    answers: tuple[FileAnswer, ...] = ()  # once done
    error: str | None = None  # one sentence, if it failed
    stopping: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED

    @property
    def fraction(self) -> float:
        """How much is done, 0-1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(slots=True)
class _Worker:
    task: ArchiveTask
    stop: threading.Event = field(default_factory=threading.Event)

    def progress(self, done: int, total: int) -> None:
        self.task = replace(self.task, state="working", done=done, total=total)

    def run(self, run_path: Path, data: bytes) -> None:
        with _turns:
            try:
                from tl_core.prediction import predict_archive  # imports TensorFlow, so only in this thread

                answers = predict_archive(run_path, io.BytesIO(data), self.progress, self.stop.is_set)
            except StoppedError:
                self.task = replace(self.task, state="stopped")
            except TransferLearningError as error:
                logger.info("The prediction of %s failed: %s", self.task.name, error)
                self.task = replace(self.task, state="failed", error=str(error))
            except Exception:  # the page waits for an end, whatever happened; nothing is hidden
                logger.exception("The prediction of %s failed unexpectedly", self.task.name)
                self.task = replace(self.task, state="failed", error=UNEXPECTED)
            else:
                self.task = replace(self.task, state="done", answers=tuple(answers))


_workers: OrderedDict[str, _Worker] = OrderedDict()
_lock = threading.Lock()
_turns = threading.BoundedSemaphore(AT_A_TIME)


def start_archive(run_path: Path, name: str, data: bytes) -> str:
    """Begin to predict all images of a zip in a thread of its own; returns the task's id.

    Args:
        run_path: folder of the run.
        name: of the zip file, for people.
        data: its content, not trusted.
    """
    worker = _Worker(ArchiveTask(secrets.token_hex(16), name, run_path.name))
    with _lock:
        _workers[worker.task.id] = worker
        _forget_old()
    threading.Thread(target=worker.run, args=(run_path, data), name="archive", daemon=True).start()
    return worker.task.id


def archive_task(task_id: str | None) -> ArchiveTask | None:
    """How a prediction stands; None if it is not known (any more)."""
    with _lock:
        worker = _workers.get(task_id or "")
    return replace(worker.task, stopping=worker.stop.is_set()) if worker else None


def cancel_archive(task_id: str) -> None:
    """Ask a prediction to stop; nothing of it is kept."""
    with _lock:
        worker = _workers.get(task_id)
    if worker:
        worker.stop.set()


def _forget_old() -> None:
    ended = [task_id for task_id, worker in _workers.items() if worker.task.ended]
    for task_id in ended[: max(0, len(_workers) - REMEMBERED)]:
        del _workers[task_id]
