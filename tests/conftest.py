"""The order in which two processes share the files, and what garbage collection need not look at."""

from __future__ import annotations

import gc

import pytest

# The files of a minute or more, longest first: one of them begun last would leave the other process without work.
LONGEST = (
    "tests/tl_core/backbones/test_every_backbone.py",
    "tests/tl_core/jobs/test_workers.py",
    "tests/tl_core/export/test_exporting.py",
    "tests/e2e/test_live_camera.py",
    "tests/e2e/test_story.py",
    "tests/e2e/test_accessibility.py",
    "tests/e2e/test_closed_server.py",
    "tests/benchmarks/test_benchmarks.py",
    "tests/faults/test_kills.py",
    "tests/faults/test_worker_kills.py",
    "tests/e2e/test_shared_server.py",
    "tests/e2e/test_login.py",
    "tests/e2e/test_load.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; with ``--no-loadscope-reorder`` this is the order in which they are shared."""
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


def pytest_collection_finish() -> None:
    """What was imported stays: a training collects garbage at its end, and would look at all of TensorFlow."""
    gc.collect()
    gc.freeze()
