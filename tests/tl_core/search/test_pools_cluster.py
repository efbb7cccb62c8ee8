"""Heads of a search on a real Ray cluster of two nodes on this machine."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tl_core.jobs.cluster import SmallCluster
from tl_core.errors import StoppedError
from tl_core.search.ensembles import Answers
from tl_core.search.heads import Features
from tl_core.search.pools.cluster import ClusterPool
from tl_core.search.space import SOURCES, dimensions, quick_start_params
from tl_core.search.trials import TrialLoop, held_out_images

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def pool():
    import ray

    cluster = SmallCluster(nodes=2)
    yield ClusterPool(cluster.address)
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def features():
    """Three classes that overlap, with four blocks of averages and maxima."""
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    views = (random.normal(0, 1, (3, 64))[labels] + random.normal(0, 1.2, (120, 64))).astype(np.float32)
    return Features(views[None], labels.astype(np.int64), np.arange(120) >= 100, 3, (8, 8, 8, 8))


def loop_of(features, folder):
    found = dimensions(SOURCES[:1], unbalanced=False)
    return TrialLoop(
        found=found,
        quick_start=quick_start_params(found),
        masks=held_out_images(features, 1),
        labels=features.labels,
        answers=Answers(folder / "answers"),
        seconds=600,
        seed=1,
        small=False,
        elapsed=lambda: 1.0,
        done=lambda trial: None,
    )


def test_two_processors_try_two_heads_at_once(pool, features, tmp_path):
    assert (pool.nodes, pool.slots) == (2, 2)
    loop, begun = loop_of(features, tmp_path), []
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
    loop = loop_of(features, tmp_path)

    def stop():
        raise StoppedError("Stopped.")

    with pytest.raises(StoppedError):
        pool.run(loop, {SOURCES[0].name: features}, lambda: True, stop)
    assert loop.trials == []
