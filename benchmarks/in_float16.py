"""The hand-written contenders as somebody writes them who has a GPU: in mixed_float16."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from benchmarks.frozen_backbone import fit_end_to_end, predict_once_then_fit
from benchmarks.session import Measured
from benchmarks.trunk_throughput import keras_predict


def predict_in_float16(backbone: str, size: int, images: int) -> Measured:
    """As `keras_predict`."""
    with in_float16():
        return keras_predict(backbone, size, images)


def predict_once_in_float16(dataset: str, size: int, epochs: int) -> Measured:
    """As `predict_once_then_fit`."""
    with in_float16():
        return predict_once_then_fit(dataset, size, epochs)


def fit_in_float16(dataset: str, size: int, epochs: int, images: int) -> Measured:
    """As `fit_end_to_end`."""
    with in_float16():
        return fit_end_to_end(dataset, size, epochs, images)


@contextlib.contextmanager
def in_float16() -> Iterator[None]:
    """Whatever is built inside computes in float16, with weights in float32."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:  # a smoke test measures all contenders in one process
        keras.config.set_dtype_policy(before)
