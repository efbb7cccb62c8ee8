"""Waiting for the queue."""

from __future__ import annotations

import time
from collections.abc import Callable

from tl_core.jobs import JobManager

PATIENCE = 120  # seconds until what should come counts as never coming


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return once something holds, after at most so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)  # between two looks, which take from the training: the condition decides


def wait_until_idle(jobs: JobManager, seconds: float = PATIENCE) -> None:
    """Return once nothing works and nothing waits, after at most so many seconds."""
    wait_until(lambda: not jobs.jobs(), seconds)
