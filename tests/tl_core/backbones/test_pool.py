"""The backbone of one training serves the next."""

from __future__ import annotations

import numpy as np
import pytest

from tl_core.backbones import pool
from tl_core.backbones.pool import acquire_backbone, release_backbone

NAME, SIZE = "efficientnet_lite0", 64


@pytest.fixture(autouse=True)
def nothing_kept():
    pool._pool.clear()
    yield
    pool._pool.clear()


def test_what_was_given_back_is_taken_by_the_next_and_by_one_alone():
    first = acquire_backbone(NAME, SIZE)
    release_backbone(NAME, SIZE, first)
    second, third = acquire_backbone(NAME, SIZE), acquire_backbone(NAME, SIZE)
    assert second is not first
    assert second.layers == first.layers
    assert not set(map(id, third.layers)) & set(map(id, first.layers))
    images = np.random.default_rng(0).random((2, SIZE, SIZE, 3), np.float32)
    np.testing.assert_array_equal(second(images), third(images))
    assert [layer.name for layer in second.layers] == [layer.name for layer in first.layers]


@pytest.mark.parametrize("other", [(NAME, 96), ("efficientnet_lite1", SIZE)])
def test_another_kind_is_built_anew(other):
    first = acquire_backbone(NAME, SIZE)
    release_backbone(NAME, SIZE, first)
    assert acquire_backbone(*other).layers[1] is not first.layers[1]
    assert not len(pool._pool), "nothing is kept that nobody seems to want"


def test_large_ones_are_not_kept(monkeypatch):
    monkeypatch.setattr(pool, "MAX_PARAMETERS", 1000)
    release_backbone(NAME, SIZE, acquire_backbone(NAME, SIZE))
    assert not len(pool._pool)
