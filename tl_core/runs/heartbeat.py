"""The heartbeat of a training: a small file that is renewed while it works, so that a hang is noticed.

A hang cannot be ended, because a thread cannot be killed; but it can be shown, and the queue can go on.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tl_core.runs.record import RunFolder, RunRecord

WRITTEN_EVERY: Final = 2.0  # seconds
SILENT_AFTER: Final = 30.0  # seconds without a sign between two batches
SLOW_STEP: Final = 180.0  # seconds that building, compiling, a first batch or a saved file may take without a sign
GIVEN_UP_AFTER: Final = 120.0  # further seconds without a sign
_PAUSES: Final = 3.0  # so many times the longest pause so far is no hang: large batches are slow on a small machine


class Heartbeat:
    """Written by the training, at every batch and between its steps."""

    def __init__(self, folder: RunFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = folder.heartbeat_file
        self._temporary = self._file.with_name(f".{self._file.name}")
        self._clock = clock
        self._allowed = self._floor = SILENT_AFTER
        self._longest = 0.0  # ordinary pause, in seconds
        self._last = self._written = clock() - WRITTEN_EVERY

    def beat(self) -> None:
        """The training is alive. Costs next to nothing: the file is written every other second at most."""
        now = self._clock()
        pause, self._last = now - self._last, now
        if self._allowed < SLOW_STEP and pause < SLOW_STEP:
            self._longest = max(self._longest, pause)
        self._renew(now, max(self._floor, _PAUSES * self._longest))

    def slow_step(self) -> None:
        """The next step may take some minutes without a heartbeat: building, compiling, saving."""
        self._last = self._clock()
        self._renew(self._last, SLOW_STEP)

    def enter(self, *, slow: bool) -> None:
        """A stage begins, with a slow step; ``slow``: it is made of nothing else."""
        self._floor = SLOW_STEP if slow else SILENT_AFTER
        self.slow_step()

    def _renew(self, now: float, allowed: float) -> None:
        if now - self._written < WRITTEN_EVERY and allowed == self._allowed:
            return
        self._written, self._allowed = now, allowed
        # Not flushed to the disk: after a crash it is not needed. A full disk is reported with the events, not here.
        with contextlib.suppress(OSError):
            self._temporary.write_text(json.dumps({"t": time.time(), "allowed": allowed}))
            self._temporary.replace(self._file)


@dataclass(frozen=True, slots=True)
class LatestHeartbeat:
    """The latest heartbeat of a training."""

    t: float  # Unix seconds
    allowed: float  # seconds until the next one is due


def latest_heartbeat(folder: RunFolder) -> LatestHeartbeat | None:
    """The latest heartbeat, or None if there is none."""
    try:
        values = json.loads(folder.heartbeat_file.read_text())
        return LatestHeartbeat(float(values["t"]), float(values["allowed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def silent_seconds(run: RunRecord, now: float) -> float | None:
    """How long a run at work has given no heartbeat, if that is longer than it should be; else None.

    Args:
        now: the current time in Unix seconds.
    """
    latest = latest_heartbeat(run.folder) if run.status == "running" else None
    if latest is None or now - latest.t <= latest.allowed:
        return None
    return now - latest.t


class HangDetector:
    """Counts how long a training has given no heartbeat, for the decision to give it up.

    Only time between two checks counts, and of a long one no more than ``check_every`` twice: while a laptop
    sleeps nothing gives a sign, and nothing hangs.
    """

    def __init__(self, folder: RunFolder, check_every: float, now: float) -> None:
        self._folder = folder
        self._most = 2 * check_every
        self._checked = now
        self._latest = latest_heartbeat(folder)
        self.seconds = 0.0

    def too_long(self, now: float) -> bool:
        """Look for a sign at the moment ``now`` of a clock; whether there has been none for too long."""
        latest, passed, self._checked = latest_heartbeat(self._folder), now - self._checked, now
        self.seconds = self.seconds + min(passed, self._most) if latest == self._latest else 0.0
        self._latest = latest
        return self.seconds > (latest.allowed if latest else SLOW_STEP) + GIVEN_UP_AFTER
