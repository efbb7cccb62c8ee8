"""A backbone whose random weights are the same everywhere and compress to next to nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import keras
import numpy as np

BACKBONE = "mobilenet_v3_small"  # of the registry the one with the fewest parameters
BUILDER = "MobileNetV3Small"
LAYERS = 157
LAST_NORMALIZATION = 155  # index of the last layer with weights, which has 1,152 that learn
_PERIOD = 61  # values of a kernel until they repeat; prime, so that neighbouring channels differ
_GAIN = 2.6  # chosen so that the features of images are about 1


@contextmanager
def small_weights() -> Iterator[mock.Mock]:
    """Within the block a backbone with random weights has these; ``call_count`` is how often it was built."""
    original = getattr(keras.applications, BUILDER)

    def build(**arguments: Any) -> keras.Model:
        base = original(**arguments)
        if arguments.get("weights") is None:
            repeat_weights(base)
        return base

    with mock.patch.object(keras.applications, BUILDER, side_effect=build) as builder:
        yield builder


def repeat_weights(base: keras.Model, gain: float = _GAIN) -> None:
    """Set every kernel to a variance that keeps signals alive through the layers; all other weights stay 0 or 1."""
    random = np.random.default_rng(2026)
    for weight in base.weights:
        shape = tuple(weight.shape)
        if len(shape) != 4:
            continue
        table = random.normal(0, math.sqrt(gain / _inputs(weight.path, shape)), _PERIOD)
        weight.assign(np.resize(table, shape).astype(np.float32))


def _inputs(path: str, shape: tuple[int, ...]) -> int:
    depthwise = "depthwise" in path
    return math.prod(shape[:2] if depthwise else shape[:3])
