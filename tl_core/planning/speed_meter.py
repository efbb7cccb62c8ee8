"""Measures how fast this machine trains while a person fills the form, in a low-priority process of its own.

One measurement at a time; the latest request wins, and nothing is measured while a training works. What was measured
while something else kept the machine busy, such as a search, is measured again once it is quiet.
"""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil

from tl_core.config import TrainingConfig
from tl_core.jobs.queue import manager
from tl_core.machine.hardware import QUIET, OtherWork
from tl_core.planning.speed import kind_of, load_speed
from tl_core.storage.files import write_json
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

SETTLED_SECONDS: Final = 1.5  # without a change of the settings, before anything is measured
NICENESS: Final = 10  # of the measuring process
LOOKED_AT: Final = 2.0  # seconds over which the machine has to be quiet, before something is measured again
SOON: Final = 1.0  # seconds until somebody who waits asks again, while something is being measured ...
LATER: Final = 10.0  # ... and while the machine is busy with something else
MOST_AGAIN: Final = 3  # times that one kind is measured again, where it never stays quiet

_REPOSITORY: Final = Path(__file__).parents[2]

Kind = dict[str, Any]


class SpeedMeter:
    """The measurements of one workspace."""

    def __init__(
        self,
        workspace: Workspace,
        clock: Callable[[], float] = time.monotonic,
        quiet: Callable[[], bool] | None = None,
    ) -> None:
        self._workspace = workspace
        self._clock = clock
        self._quiet = quiet or self._has_been_quiet
        self._others = OtherWork()
        self._lock = threading.Lock()
        self._requested: Kind | None = None
        self._requested_at = 0.0
        self._measured: Kind | None = None  # what the process measures
        self._process: subprocess.Popen[bytes] | None = None
        self._failed: list[Kind] = []
        self._again: list[Kind] = []  # begun once more, because the machine was busy the first time

    def request(self, config: TrainingConfig, dataset_id: str) -> float:
        """Request a measurement; call it again now and then, as long as the request holds.

        Returns:
            Seconds after which to call it again: 0 once there is nothing more to wait for, or it cannot be measured.
        """
        kind = kind_of(config)
        with self._lock:
            self._collect_process()
            known = load_speed(self._workspace, config)
            if kind in self._failed or manager(self._workspace).jobs():
                return 0
            if known is not None and self._measured != kind:
                if known.quiet or self._again.count(kind) >= MOST_AGAIN:
                    return 0
                if not self._quiet():
                    return LATER
            if kind != self._requested:
                self._requested, self._requested_at = kind, self._clock()
            if self._measured != kind:
                self._end_process()
                if self._clock() - self._requested_at >= SETTLED_SECONDS:
                    self._again += [kind] if known else []
                    self._begin(config, dataset_id, kind)
            return SOON

    def stop(self) -> None:
        """Stop measuring: the machine is needed for a training."""
        with self._lock:
            self._end_process()

    def _has_been_quiet(self) -> bool:
        """Whether others left the machine alone since the last question, if that was a moment ago."""
        if self._others.seconds < LOOKED_AT:
            return False
        others, self._others = self._others, OtherWork()
        return others.seconds < 2 * LATER and others.share() < QUIET

    def _begin(self, config: TrainingConfig, dataset_id: str, kind: Kind) -> None:
        self._workspace.speeds.mkdir(parents=True, exist_ok=True)
        settings, log = (self._workspace.speeds / name for name in ("measuring.json", "measuring.log"))
        write_json(settings, config.to_dict())
        command = [sys.executable, "-m", "tl_core", "calibrate", "--config", str(settings), "--data", dataset_id]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603  # our own program; the id is that of a dataset
                command,
                cwd=_REPOSITORY,
                env={**os.environ, "TL_WORKSPACE": str(self._workspace.root)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self._measured = kind
        try:
            psutil.Process(self._process.pid).nice(NICENESS)
        except (psutil.Error, OSError) as error:
            logger.info("The measurement keeps its normal priority: %s", error)

    def _collect_process(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        if self._process.returncode and self._measured is not None:
            logger.warning("This machine's speed could not be measured (exit code %d)", self._process.returncode)
            self._failed.append(self._measured)
        self._process = self._measured = None

    def _end_process(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = self._measured = None


_meters: dict[Path, SpeedMeter] = {}
_meters_lock = threading.Lock()


def speed_meter(workspace: Workspace) -> SpeedMeter:
    """The one meter of this process for a workspace."""
    with _meters_lock:
        if workspace.root not in _meters:
            _meters[workspace.root] = meter = SpeedMeter(workspace)
            atexit.register(meter.stop)
        return _meters[workspace.root]
