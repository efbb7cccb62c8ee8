"""Several people use one server while it trains: everything comes, and soon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.application import App
from tests.e2e.load import UNHURRIED, Figures, percentile, visit_together
from tests.e2e.long_run import epochs_told, training_server, wait_for
from tl_core.runs import RunRecord

pytestmark = pytest.mark.e2e

LOAD_WITHIN = 5.0  # seconds, p95
REACTS_WITHIN = 0.6  # seconds, p95 of the interactions
HEALTH_WITHIN = 1.0  # seconds, p99
MEMORY_GROWTH = 100_000_000  # bytes


@pytest.fixture
def training(tmp_path: Path) -> Iterator[tuple[App, RunRecord]]:
    with training_server(tmp_path) as started:
        yield started


def visited(training: tuple[App, RunRecord], visitors: int, seconds: float, pauses: tuple[float, float]) -> Figures:
    before = len(epochs_told(training[1]))
    figures = visit_together(*training, visitors, seconds, pauses)
    print(f"\n{figures.table()}")  # noqa: T201  # figures for docs/reliability.md
    assert figures.lost == []
    assert figures.log_errors == []
    wait_for(lambda: len(epochs_told(training[1])) > before)  # the training goes on
    assert len(figures.loads) >= visitors
    return figures


@pytest.mark.slow
def test_three_visitors_lose_nothing_while_a_model_trains(training: tuple[App, RunRecord]):
    figures = visited(training, visitors=3, seconds=20, pauses=(0.1, 0.3))
    assert figures.moves
    assert figures.waits
    assert max(figures.probes) < 5 * HEALTH_WITHIN, "other tests use the cores as well"


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_ten_visitors_for_ten_minutes_wait_for_nothing_long(training: tuple[App, RunRecord]):
    figures = visited(training, visitors=10, seconds=600, pauses=UNHURRIED)
    assert percentile(figures.loads, 95) < LOAD_WITHIN
    assert percentile(figures.moves, 95) < LOAD_WITHIN
    assert percentile(figures.waits, 95) < REACTS_WITHIN
    assert percentile(figures.probes, 99) < HEALTH_WITHIN
    assert figures.memory_growth < MEMORY_GROWTH
