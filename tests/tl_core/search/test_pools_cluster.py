"""Heads of a search on a real Ray cluster of two nodes on this machine."""

from __future__ import annotations

import pytest

from tests.tl_core.jobs.cluster import SmallCluster
from tests.tl_core.search.loops import make_loop, overlapping_classes
from tl_core.errors import StoppedError
from tl_core.search.heads import Features
from tl_core.search.pools.cluster import ClusterPool
from tl_core.search.space import SOURCES

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def pool():
    import ray

    cluster = SmallCluster(nodes=2)
    yield ClusterPool(cluster.address)
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def features() -> Features:
    return overlapping_classes(120, validation=20, noise=1.2)


def test_two_processors_try_two_heads_at_once(pool, features, tmp_path):
    assert (pool.nodes, pool.slots) == (2, 2)
    loop, begun = make_loop(features, tmp_path), []
    loop.try_first(loop.quick_start)
    pool.run(
        loop, {SOURCES[0].name: features}, lambda: len(begun) < 20 and not begun.append(None), lambda: None
    )  # fmt: skip
    assert len(loop.trials) >= 20, "in 20 groups of one head or several"
    assert [trial.number for trial in loop.trials] == list(range(len(loop.trials)))
    assert any(trial.params == loop.quick_start and trial.state == "complete" for trial in loop.trials)
    assert loop.complete[0].accuracy > 0.6
    assert loop.candidates(), "the answers of good ones are kept"


def test_a_stop_leaves_no_trace_of_what_was_at_work(pool, features, tmp_path):
    loop = make_loop(features, tmp_path)

    def stop():
        raise StoppedError("Stopped.")

    with pytest.raises(StoppedError):
        pool.run(loop, {SOURCES[0].name: features}, lambda: True, stop)
    assert loop.trials == []
