"""In which order the steps of a training are begun and read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tensorflow as tf

from tl_core.training.loops import read_behind


@pytest.mark.parametrize("ahead", [0, 3, 9])
def test_every_step_is_read_in_its_order_however_far_the_device_is_ahead(ahead: int):
    begun: list[int] = []

    def steps() -> Iterator[tuple[int, tf.Tensor]]:
        for step in range(5):
            begun.append(step)
            yield 32, tf.constant([float(step), 1.0])

    read = read_behind(steps(), ahead)
    images, sums = next(read)
    assert (images, sums[0]) == (32, 0.0)
    assert len(begun) == min(1 + ahead, 5)
    assert [float(sums[0]) for _, sums in read] == [1.0, 2.0, 3.0, 4.0]
