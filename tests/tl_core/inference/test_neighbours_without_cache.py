"""The features of nearest neighbours obey the limit of the cache."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.features.cache import open_cache
from tl_core.inference.nearest_neighbours import cached_features, feature_vectors, nearest_neighbours


def test_without_a_cache_the_features_are_held_in_memory_and_nothing_is_evicted(shared_run, workspace, monkeypatch):
    own = import_coloured(workspace, {name: COLOURS[name] for name in ("green", "blue")}, count=5)
    cache = open_cache(workspace)
    before = cache.size_bytes()
    monkeypatch.setenv("TL_CACHE_GB", "0")
    features = feature_vectors(shared_run.record.path, own)
    assert np.linalg.norm(features, axis=1) == pytest.approx(np.ones(10), abs=1e-5)
    assert cache.size_bytes() == before
    assert len(nearest_neighbours(features, own, own.images[0], 3)) == 3
    np.testing.assert_array_equal(cached_features(shared_run.record.path, own), features)
