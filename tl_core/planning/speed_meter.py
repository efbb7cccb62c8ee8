"""Measures how fast this machine trains while a person fills the form, in a low-priority process of its own.

One measurement at a time; the latest request wins, and nothing is measured while a training works.
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
from tl_core.planning.speed import kind_of, load_speed
from tl_core.storage.files import write_json
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

SETTLED_SECONDS: Final = 1.5  # without a change of the settings, before anything is measured
NICENESS: Final = 10  # of the measuring process

_REPOSITORY: Final = Path(__file__).parents[2]

Kind = dict[str, Any]


class SpeedMeter:
    """The measurements of one workspace."""

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._clock = clock
        self._lock = threading.Lock()
        self._requested: Kind | None = None
        self._requested_at = 0.0
        self._measured: Kind | None = None  # what the process measures
        self._process: subprocess.Popen[bytes] | None = None
        self._failed: list[Kind] = []

    def request(self, config: TrainingConfig, dataset_id: str) -> bool:
        """Request a measurement; call it again now and then, as long as the request holds.

        Returns:
            Whether there is something to wait for: false once it is measured, or where it cannot be.
        """
        kind = kind_of(config)
        with self._lock:
            self._collect_process()
            if kind in self._failed or load_speed(self._workspace, config) or manager(self._workspace).jobs():
                return False
            if kind != self._requested:
                self._requested, self._requested_at = kind, self._clock()
            if self._measured != kind:
                self._end_process()
                if self._clock() - self._requested_at >= SETTLED_SECONDS:
                    self._begin(config, dataset_id, kind)
            return True

    def stop(self) -> None:
        """Stop measuring: the machine is needed for a training."""
        with self._lock:
            self._end_process()

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
