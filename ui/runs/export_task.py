"""Exports in the background, so that the page stays responsive and can stop one.

A task belongs to the process, not to a browser tab: reloading the page does not lose it. The thread knows nothing of
the page; what it has made lies in the run's folder.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tl_core.errors import StoppedError, TransferLearningError

logger = logging.getLogger(__name__)

REMEMBERED: Final = 50  # runs whose last task is known
WAITING: Final = "Waiting for another export to end"
UNEXPECTED: Final = "The export ended because of an unexpected error; nothing of it was kept. The log has more."


@dataclass(frozen=True, slots=True)
class ExportTask:
    """A copy of how one export stands."""

    format: str
    done: float = 0.0  # 0-1
    text: str = "Getting ready"
    ended: bool = False
    stopping: bool = False
    error: str | None = None  # one sentence, if nothing could be made


@dataclass(slots=True)
class _Work:
    task: ExportTask
    stop: threading.Event = field(default_factory=threading.Event)

    def report(self, done: float, text: str) -> None:
        self.task = replace(self.task, done=done, text=text)

    def end(self, error: str | None = None) -> None:
        self.task = replace(self.task, ended=True, error=error)


_works: OrderedDict[Path, _Work] = OrderedDict()
_lock = threading.Lock()
_turn = threading.Lock()  # each holds a model or two in memory


def start_export(run_path: Path, format_name: str) -> None:
    """Begin an export in a thread of its own; nothing happens while the same run is being exported already."""
    with _lock:
        at_work = _works.get(run_path)
        if at_work is not None and not at_work.task.ended:
            return
        work = _Work(ExportTask(format_name))
        _works[run_path] = work
        _works.move_to_end(run_path)
        _forget_old()
    threading.Thread(target=_run, args=(run_path, work), name=f"export-{format_name}", daemon=True).start()


def export_task(run_path: Path) -> ExportTask | None:
    """How the last export of a run stands; None if there was none."""
    with _lock:
        work = _works.get(run_path)
    return replace(work.task, stopping=work.stop.is_set()) if work else None


def stop_export(run_path: Path) -> None:
    """Ask an export to stop; nothing of it is kept."""
    with _lock:
        work = _works.get(run_path)
    if work:
        work.stop.set()


def _run(run_path: Path, work: _Work) -> None:
    from tl_core.export import export_run  # knows scikit-learn and TensorFlow's converters

    if _turn.locked():
        work.report(0.0, WAITING)
    with _turn:
        try:
            export_run(run_path, work.task.format, work.report, work.stop.is_set)
        except StoppedError:
            work.end()
        except TransferLearningError as error:
            logger.info("An export failed: %s", error)
            work.end(str(error))
        except Exception:  # the page waits for an end, whatever happened; nothing is hidden
            logger.exception("An export failed unexpectedly")
            work.end(UNEXPECTED)
        else:
            work.end()


def _forget_old() -> None:
    ended = [path for path, work in _works.items() if work.task.ended]
    for path in ended[: max(0, len(_works) - REMEMBERED)]:
        del _works[path]
