"""Waiting for the queue."""

from __future__ import annotations

import time

from tl_core.jobs import JobManager


def wait_until_idle(jobs: JobManager, seconds: float) -> None:
    """Return once nothing works and nothing waits, after at most so many seconds."""
    deadline = time.monotonic() + seconds
    while jobs.jobs():
        assert time.monotonic() < deadline, jobs.jobs()
        time.sleep(0.005)  # between two looks: the condition decides
