"""What runs on the nodes of a Ray cluster: one process per training, and a check of the node.

Ray brings this code to the nodes; the workspace is a folder that all of them see, and all that a training tells goes
through it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from tl_core.errors import ClusterError, RunNotFoundError, TransferLearningError
from tl_core.jobs.runners.runner import TrainFunction, run_training
from tl_core.machine.hardware import current_load, detect_hardware
from tl_core.runs import EventLog, RunFolder, load_run, update_run
from tl_core.runs.node_report import RENEWED_EVERY, NodeReport, write_report
from tl_core.runs.record import Mode, Owner
from tl_core.runs.store import this_process

TAKEN_OVER_AFTER: Final = 3 * RENEWED_EVERY  # seconds in which a process that has lost its run notices that
_LOST: Final = 3  # exit code
_COMPARED: Final = ("tensorflow", "keras", "openvino", "numpy", "pillow", "scikit-learn")


class NodeTrainer:
    """A training on the node where Ray has placed it; an actor, whose methods are called in threads."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(1, "training")
        self._begun = threading.Lock()
        self._training: Future[None] | None = None

    def place(self) -> tuple[str, str]:
        """Id and name of the node."""
        import ray

        return ray.get_runtime_context().get_node_id(), socket.gethostname()

    def stop(self) -> None:
        """Ask the training to stop and keep its best model so far."""
        self._stop.set()

    def train(self, mode: Mode, run: str, note: str | None) -> None:
        """Train, and return once the run's folder says how it ended; called again, wait for the same training.

        Args:
            mode: how it begins.
            run: folder of the run, at the same place on every node.
            note: where another node has worked on the run before, what became of that.

        Raises:
            TransferLearningError: this node cannot see the run's folder, or cannot write into it.
        """
        with self._begun:
            if self._training is None:
                self._training = self._thread.submit(self._train, mode, Path(run), note)
        self._training.result()

    def _train(self, mode: Mode, path: Path, note: str | None) -> None:
        if not path.is_dir():
            raise ClusterError(f"it does not see the folder {path}")
        began = time.monotonic()
        owner = update_run(path, status="queued", owner=this_process()).owner
        assert owner is not None  # noqa: S101  # it has just been written
        over = threading.Event()
        reports = threading.Thread(target=_report, args=(RunFolder(path), owner, over), name="report", daemon=True)
        reports.start()
        try:
            from tl_core.training import extend, resume, train
            from tl_core.training.callbacks.mlflow import wait_until_sent

            modes: dict[str, TrainFunction] = {"train": train, "resume": resume, "extend": extend}
            with EventLog(RunFolder(path).events_file) as events:
                if note is not None:  # the process on the other node may live on, cut off from the cluster alone
                    over.wait(TAKEN_OVER_AFTER - (time.monotonic() - began))
                    events.write("note", text=note)
            run_training(modes[mode], path, self._stop.is_set)
            wait_until_sent()  # Ray ends what this process has started with it
        finally:
            over.set()
            reports.join()


def _report(folder: RunFolder, owner: Owner, over: threading.Event) -> None:
    """Renew the report on the node until the training is over; end this process if another one has taken the run."""
    gpu, hardware = _assigned_gpu(), detect_hardware()
    device = hardware.gpus[gpu].name if gpu < len(hardware.gpus) else hardware.summary
    while not over.is_set():
        try:
            write_report(folder, NodeReport(time.time(), owner, socket.gethostname(), device, current_load(gpu)))
            if load_run(folder.path).owner not in (owner, None):
                os._exit(_LOST)
        except RunNotFoundError:  # cancelled
            os._exit(_LOST)
        except (OSError, TransferLearningError):  # the folder is away, or the disk is full: the training says so
            pass
        over.wait(RENEWED_EVERY)


def _assigned_gpu() -> int:
    import ray

    assigned = ray.get_gpu_ids()
    return int(assigned[0]) if assigned else 0


def check_node(folder: str, expected: str, answer: str) -> dict[str, Any]:
    """Whether a node sees a folder, and can work in it.

    Args:
        folder: the workspace.
        expected: name of a file in it that another machine has just written; what it holds is its own name.
        answer: name of the file to write, with the same content.

    Returns:
        ``problem`` (words, or None), ``clock`` (Unix seconds), ``device`` and ``versions``.
    """
    found = {"clock": time.time(), "device": detect_hardware().summary, "versions": compared_versions()}
    return {"problem": _problem(Path(folder), expected, answer), **found}


def compared_versions() -> dict[str, str | None]:
    """Versions of the packages that decide what a training computes, by name; None where one is missing."""
    return {name: _version(name) for name in _COMPARED}


def _problem(folder: Path, expected: str, answer: str) -> str | None:
    if not folder.is_dir():
        return f"does not see the folder {folder}: mount the shared folder there, at the same place on every node"
    try:
        if (folder / expected).read_text() != expected:
            return f"reads something else in {folder} than was written there: mount the same folder on every node"
    except FileNotFoundError:
        return f"has another folder at {folder}: mount the same folder there on every node"
    except OSError as error:
        return f"cannot read in {folder} ({error.strerror}): start Ray there as the user who owns the workspace"
    try:
        (folder / answer).write_text(expected)
        _lock(folder)
    except OSError as error:
        return f"cannot write in {folder} ({error.strerror}): start Ray there as the user who owns the workspace"
    return None


def _lock(folder: Path) -> None:
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # of a disk without locks: an error
    finally:
        os.close(descriptor)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
