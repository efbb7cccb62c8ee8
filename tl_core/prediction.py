"""Asking a finished model: photographs in, class probabilities out, also while another training runs.

A predictor is made from the checkpoint file, never from a model in training, compiled once and kept warm.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.data.normalise import normalise_image, read_image, resize_image
from tl_core.device import find_device
from tl_core.engine.compiled import Network, compile_network
from tl_core.errors import ImageError
from tl_core.evaluation import as_class_probabilities
from tl_core.models.stored import load_stored
from tl_core.runs import RunRecord, load_run

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

POOL_SIZE: Final = 4  # predictors kept warm; each holds one model in memory
_CHUNK: Final = 64  # photographs decoded at a time


@dataclass(frozen=True, slots=True)
class ImagePrediction:
    """What a model says about one photograph, or why it can say nothing."""

    classes: tuple[str, ...]
    probabilities: Probabilities  # (classes,), of sum 1; empty if there is an error
    seconds: float  # decoding, and this image's share of the network's time
    error: str | None = None  # one sentence

    def top(self, count: int) -> list[tuple[str, float]]:
        """The most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.classes[index], float(self.probabilities[index])) for index in order]


@dataclass(frozen=True, slots=True)
class Predictor:
    """One model, compiled; may be used by several threads."""

    classes: tuple[str, ...]
    image_size: int
    network: Network

    def predict(self, images: Images) -> Probabilities:
        """Probabilities ``(n, classes)`` for ``(n, image_size, image_size, 3)`` uint8 RGB images."""
        if not len(images):
            return np.empty((0, len(self.classes)), np.float32)
        return as_class_probabilities(self.network(images)[0])


def predict_images(run_path: Path, images: Sequence[bytes]) -> list[ImagePrediction]:
    """Classify photographs with the model of a run.

    Args:
        run_path: folder of the run.
        images: files as they were uploaded, in any accepted format.

    Returns:
        One prediction per file, in the same order; a file that cannot be used has a sentence in place of
        probabilities.

    Raises:
        ModelUnavailableError: the run has no model yet, or its file is damaged.
        RunNotFoundError: there is no such run.
    """
    predictor = open_predictor(run_path)
    predictions: list[ImagePrediction] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(images), _CHUNK):
            prepared = list(
                pool.map(lambda data: _prepare(data, predictor.image_size), images[start : start + _CHUNK])
            )
            predictions += _answer(predictor, prepared)
    return predictions


def open_predictor(run_path: Path) -> Predictor:
    """The compiled model of a run, from the pool if it is warm.

    Raises:
        ModelUnavailableError: the run has no model yet, or its file is damaged.
        RunNotFoundError: there is no such run.
    """
    run = load_run(run_path)
    try:
        stamp = run.folder.model_file.stat()
    except FileNotFoundError:
        return _load(run)  # says what is missing
    return _pool.get((str(run_path), stamp.st_mtime_ns, stamp.st_ino), lambda: _load(run))


@dataclass(frozen=True, slots=True)
class _Prepared:
    image: Images | None
    seconds: float
    error: str | None = None


def _prepare(data: bytes, size: int) -> _Prepared:
    began = time.perf_counter()
    try:
        image = resize_image(read_image(normalise_image(data).encoded), size)
    except ImageError as error:
        return _Prepared(None, time.perf_counter() - began, str(error))
    return _Prepared(image, time.perf_counter() - began)


def _answer(predictor: Predictor, prepared: Sequence[_Prepared]) -> list[ImagePrediction]:
    images = [entry.image for entry in prepared if entry.image is not None]
    began = time.perf_counter()
    rows = iter(predictor.predict(np.stack(images)) if images else ())
    share = (time.perf_counter() - began) / max(1, len(images))
    nothing = np.empty(0, np.float32)
    return [
        ImagePrediction(predictor.classes, nothing, entry.seconds, entry.error)
        if entry.image is None
        else ImagePrediction(predictor.classes, next(rows), entry.seconds + share)
        for entry in prepared
    ]


def _load(run: RunRecord) -> Predictor:
    model = load_stored(run)
    size = int(model.input_shape[1])

    def forward(images: tf.Tensor) -> list[tf.Tensor]:
        return [model(tf.cast(images, tf.float32), training=False)]

    network = compile_network(forward, size, find_device("float32"), batch_size=None)
    return Predictor(run.classes, size, network)


class _Pool:
    """Predictors by model file; the least recently used goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._loading = threading.Lock()  # one model is loaded at a time, and none twice
        self._predictors: OrderedDict[Any, Predictor] = OrderedDict()

    def get(self, key: Any, load: Callable[[], Predictor]) -> Predictor:
        if found := self._find(key):
            return found
        with self._loading:
            found = self._find(key) or load()
            with self._lock:
                self._predictors[key] = found
                while len(self._predictors) > self._size:
                    self._predictors.popitem(last=False)
        return found

    def _find(self, key: Any) -> Predictor | None:
        with self._lock:
            if key in self._predictors:
                self._predictors.move_to_end(key)
            return self._predictors.get(key)


_pool = _Pool(POOL_SIZE)
