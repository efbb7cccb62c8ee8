"""A run in MLflow, live: started here, sent by a process that follows the events in the run's folder."""

from __future__ import annotations

import subprocess
import time
from typing import Final

from tl_core.errors import TrackingError
from tl_core.machine.child_process import start_module, wait_for
from tl_core.runs import RunFolder
from tl_core.runs.tracking.sent import sent_of
from tl_core.runs.tracking.settings import Tracking
from tl_core.training.trainer import Callback, EpochLogs, Trainer

MODULE: Final = "tl_core.runs.tracking.follower"
LAST_SECONDS: Final = 5.0  # in which a program that ends with its training lets the last figures be sent
CAUGHT_UP: Final = "MLflow has what it had missed."
_LOOK_EVERY: Final = 1.0  # seconds
_NOTHING: Final = subprocess.DEVNULL  # a pipe of this process would stay open as long as that process lives

_followers: Final[list[subprocess.Popen[bytes]]] = []


class MLflow(Callback):
    """Has one run sent to MLflow, and tells once if something is missing there.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._before = sent_of(folder).problem  # of an earlier attempt
        self._against: str | None = None  # what stands against it altogether
        self._missing = False
        self._looked = 0.0
        try:
            Tracking.from_environment()
            _start(folder)
        except (TrackingError, OSError) as error:
            self._against = str(error)

    def on_phase_begin(self, trainer: Trainer) -> None:
        self._tell(trainer)

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        if time.monotonic() - self._looked >= _LOOK_EVERY:
            self._tell(trainer)

    def on_train_end(self, trainer: Trainer) -> None:
        self._tell(trainer)

    def _tell(self, trainer: Trainer) -> None:
        self._looked = time.monotonic()
        problem = self._against or sent_of(self._folder).problem
        if problem is not None and not self._missing and problem != self._before:
            self._missing = True
            trainer.note(problem)
        elif problem is None and self._missing:
            self._missing = False
            trainer.note(CAUGHT_UP)


def wait_until_sent(seconds: float = LAST_SECONDS) -> None:
    """Return once what this process has trained was sent, or after so many seconds."""
    until = time.monotonic() + seconds
    for follower in _followers:
        wait_for(follower, max(0.0, until - time.monotonic()))


def _start(folder: RunFolder) -> None:
    _followers[:] = [follower for follower in _followers if follower.poll() is None]
    follower = start_module(
        MODULE,
        str(folder.path.resolve()),
        stdin=_NOTHING,
        stdout=_NOTHING,
        stderr=_NOTHING,
        start_new_session=True,  # Ctrl-C is for the training, whose end is then sent
    )
    _followers.append(follower)
