"""The process that trains: ``python -m tl_core.jobs.runners.worker_process``, started by `WorkerRunner` alone.

It reads requests from its standard input and answers on its standard output, one JSON object per line:

- ``{"mode": "train", "run": PATH}`` begins a training, ``{"stop": PATH}`` asks it to stop;
- ``{"ready": PID}`` once it can train at once, ``{"begun": PATH}`` and ``{"ended": PATH}`` around each training.

It ends with its standard input, so with the program that started it, however that ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import logging
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from tl_core.jobs.runners.runner import TrainFunction, run_training
from tl_core.machine.banner import keep_banner_back
from tl_core.machine.device import find_device
from tl_core.machine.hardware import detect_hardware
from tl_core.machine.priority import lower_process_priority

_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG of prctl(2)


class Requests:
    """What the dashboard asks for, read by a thread of its own while the main thread trains."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._stopped: set[str] = set()
        self.trainings: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def stopped(self, run: str) -> bool:
        """Whether a run was asked to stop."""
        return run in self._stopped

    def _read(self) -> None:
        for line in self._source:
            request = json.loads(line)
            if "stop" in request:
                self._stopped.add(request["stop"])
            else:
                self._stopped.discard(request["run"])
                self.trainings.put(request)
        os._exit(0)  # nobody is left to train for; the run goes on from its last saved epoch when it is resumed


def main() -> None:
    """Train what is asked for, one run after the other."""
    requests, answers = Requests(sys.stdin.buffer), answers_alone()
    end_with_parent()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger().handlers[0].setLevel(logging.WARNING)  # the rest is in the log of each run
    lower_process_priority()
    keep_banner_back()
    from tl_core.training import extend, resume, train

    modes: dict[str, TrainFunction] = {"train": train, "resume": resume, "extend": extend}
    _warm_up()
    say(answers, ready=os.getpid())
    while True:
        request = requests.trainings.get()
        run = request["run"]
        say(answers, begun=run)
        run_training(modes[request["mode"]], Path(run), functools.partial(requests.stopped, run))
        say(answers, ended=run)


def _warm_up() -> None:
    """Start the threads that compute, unless that would occupy a GPU while nothing is trained."""
    if not detect_hardware().gpus:
        find_device("auto")


def answers_alone() -> TextIO:
    """The standard output for answers alone: what a library prints goes where errors go."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def say(answers: TextIO, **values: Any) -> None:
    """Send one answer."""
    answers.write(json.dumps(values) + "\n")
    answers.flush()


def end_with_parent() -> None:
    """Have Linux kill this process with the thread that started it, even where no thread of it can run any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal reaches all; the dashboard decides
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library: then the end of the input does it
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    main()
