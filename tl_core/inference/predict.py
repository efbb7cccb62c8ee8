"""Asking a finished model: photographs in, class probabilities out, also while another training runs.

A predictor is made from the checkpoint file, never from a model in training, compiled once and kept warm.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.data.imports.archive import zip_source
from tl_core.data.normalise import normalise_image, read_image, resize_image
from tl_core.errors import ImageError
from tl_core.evaluation.evaluate import as_class_probabilities
from tl_core.features.compiled import Network, compile_network
from tl_core.inference.calibration import Calibration, apply_temperature, load_calibration
from tl_core.machine.device import find_device
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.models.load import load_stored
from tl_core.runs import RunRecord, load_run
from tl_core.runs.epoch_checkpoints import find_epoch

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

POOL_SIZE: Final = 4  # predictors kept warm; each holds one model in memory
NAMED: Final = 3  # classes named of each file of an archive
_CHUNK: Final = 64  # photographs decoded at a time


@dataclass(frozen=True, slots=True)
class ImagePrediction:
    """What a model says about one photograph, or why it can say nothing."""

    classes: tuple[str, ...]
    probabilities: Probabilities  # (classes,), of sum 1; empty if there is an error
    seconds: float  # decoding, and this image's share of the network's time
    error: str | None = None  # one sentence
    threshold: float = 0.0  # below this probability the answer is *I don't know*; 0 = always answer

    @property
    def answered(self) -> bool:
        """Whether there is an answer; a doubtful one is only a best guess."""
        return self.error is None and float(self.probabilities.max()) >= self.threshold

    def top(self, count: int) -> list[tuple[str, float]]:
        """The most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.classes[index], float(self.probabilities[index])) for index in order]


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What a model says about one of many files."""

    name: str  # with its folders
    top: tuple[tuple[str, float], ...]  # the three likeliest classes with their probabilities (0-1), best first
    answered: bool  # whether the model is sure enough
    error: str | None  # one sentence, if the file cannot be used


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


Answerer = Callable[[], tuple[Predictor, Calibration]]
"""Opens a model, with how doubtful answers of it are given; called once the pictures are known to be there."""


def predict_images(run_path: Path, images: Sequence[bytes], epoch: int | None = None) -> list[ImagePrediction]:
    """Classify photographs with the model of a run, with its calibration (`tl_core.inference.calibration`).

    Args:
        run_path: folder of the run.
        images: files as they were uploaded, in any accepted format.
        epoch: one of its kept epochs; None = the best one.

    Returns:
        One prediction per file, in the same order; a file that cannot be used has a sentence in place of
        probabilities.

    Raises:
        ModelUnavailableError: the run has no model yet, the epoch is not kept, or a file is damaged.
        RunNotFoundError: there is no such run.
    """
    return predict_with(lambda: _of_run(run_path, epoch), images)


def predict_with(answerer: Answerer, images: Sequence[bytes]) -> list[ImagePrediction]:
    """As `predict_images`, with a model that need not be that of a run."""
    reads = [partial(bytes, data) for data in images]
    return list(itertools.chain.from_iterable(_in_chunks(answerer, reads)))


def predict_archive(
    run_path: Path,
    archive: BinaryIO | Path,
    task: TaskContext = UNATTENDED,
    epoch: int | None = None,
) -> list[FileAnswer]:
    """Classify all images in a zip file, a few dozen in memory at a time.

    Args:
        run_path: folder of the run.
        archive: within the limits of `tl_core.data.imports.archive`; its folders do not matter.
        task: told images done and images in all; asked between batches.
        epoch: one of the run's kept epochs; None = the best one.

    Returns:
        One answer per file in the order of their names; then those that were left out at first sight.

    Raises:
        ArchiveError: it is no zip, is damaged or empty, or is over a limit.
        ModelUnavailableError: the run has no model yet, the epoch is not kept, or a file is damaged.
        StoppedError: the task was asked to stop.
    """
    return predict_archive_with(lambda: _of_run(run_path, epoch), archive, task)


def predict_archive_with(
    answerer: Answerer,
    archive: BinaryIO | Path,
    task: TaskContext = UNATTENDED,
) -> list[FileAnswer]:
    """As `predict_archive`, with a model that need not be that of a run."""
    answers: list[FileAnswer] = []
    with zip_source(archive) as source:
        names = [file.shown_name for file in source.files]
        task.report(0, len(names))
        for predictions in _in_chunks(answerer, [file.read for file in source.files]):
            for prediction in predictions:
                top = tuple(prediction.top(NAMED))
                answers.append(FileAnswer(names[len(answers)], top, prediction.answered, prediction.error))
            task.report(len(answers), len(names))
            task.stop_if_asked("The prediction was stopped; nothing of it was kept.")
        return [*answers, *(FileAnswer(file.name, (), False, file.reason) for file in source.skipped)]


def _of_run(run_path: Path, epoch: int | None) -> tuple[Predictor, Calibration]:
    return open_predictor(run_path, epoch), calibration_of(load_run(run_path), epoch)


def _in_chunks(answerer: Answerer, reads: Sequence[Callable[[], bytes]]) -> Iterator[list[ImagePrediction]]:
    predictor, confidence = answerer()
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(reads), _CHUNK):
            chunk = reads[start : start + _CHUNK]
            prepared = list(pool.map(lambda read: _prepare(read, predictor.image_size), chunk))
            yield _answer(predictor, confidence, prepared)


def calibration_of(run: RunRecord, epoch: int | None = None) -> Calibration:
    """How doubtful answers of the run's model are given; plainly, unless a person has chosen otherwise for it.

    The choice was measured on the best epoch, so another kept one always answers.
    """
    return load_calibration(run.folder, run.model_sha256 if epoch is None else find_epoch(run, epoch).sha256)


def open_predictor(run_path: Path, epoch: int | None = None) -> Predictor:
    """The compiled model of a run, from the pool if it is warm.

    Args:
        run_path: folder of the run.
        epoch: one of its kept epochs; None = the best one.

    Raises:
        ModelUnavailableError: the run has no model yet, the epoch is not kept, or a file is damaged.
        RunNotFoundError: there is no such run.
    """
    run = load_run(run_path)
    if epoch is not None:  # the epoch's weights are the whole difference: another best model makes no other answer
        sha256 = find_epoch(run, epoch).sha256
        return _pool.get((str(run_path), epoch), sha256, lambda: _load(run, epoch))
    try:
        stamp = run.folder.model_file.stat()
    except FileNotFoundError:
        return _load(run)  # says what is missing
    return _pool.get((str(run_path), None), (stamp.st_mtime_ns, stamp.st_ino), lambda: _load(run))


@dataclass(frozen=True, slots=True)
class _Prepared:
    image: Images | None
    seconds: float
    error: str | None = None


def _prepare(read: Callable[[], bytes], size: int) -> _Prepared:
    began = time.perf_counter()
    try:
        image = resize_image(read_image(normalise_image(read()).encoded), size)
    except ImageError as error:
        return _Prepared(None, time.perf_counter() - began, str(error))
    return _Prepared(image, time.perf_counter() - began)


def _answer(predictor: Predictor, confidence: Calibration, prepared: Sequence[_Prepared]) -> list[ImagePrediction]:
    images = [entry.image for entry in prepared if entry.image is not None]
    began = time.perf_counter()
    rows = iter(_honest(predictor.predict(np.stack(images)), confidence) if images else ())
    share = (time.perf_counter() - began) / max(1, len(images))
    nothing = np.empty(0, np.float32)
    return [
        ImagePrediction(predictor.classes, nothing, entry.seconds, entry.error)
        if entry.image is None
        else ImagePrediction(predictor.classes, next(rows), entry.seconds + share, threshold=confidence.threshold)
        for entry in prepared
    ]


def _honest(probabilities: Probabilities, confidence: Calibration) -> Probabilities:
    if confidence.temperature == 1:
        return probabilities
    return np.asarray(apply_temperature(probabilities, confidence.temperature), np.float32)


def _load(run: RunRecord, epoch: int | None = None) -> Predictor:
    model = load_stored(run, epoch)
    size = int(model.input_shape[1])

    def forward(images: tf.Tensor) -> list[tf.Tensor]:
        return [model(tf.cast(images, tf.float32), training=False)]

    network = compile_network(forward, size, find_device("float32"), batch_size=None)
    return Predictor(run.classes, size, network)


class _Pool:
    """The latest version of each model; the least recently used goes first.

    A run in progress writes its best model again and again: the older versions would fill the memory.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._loading = threading.Lock()  # one model is loaded at a time, and none twice
        self._predictors: OrderedDict[Any, tuple[Any, Predictor]] = OrderedDict()

    def get(self, model: Any, version: Any, load: Callable[[], Predictor]) -> Predictor:
        if found := self._find(model, version):
            return found
        with self._loading:
            found = self._find(model, version) or load()
            with self._lock:
                self._predictors[model] = (version, found)
                self._predictors.move_to_end(model)
                while len(self._predictors) > self._size:
                    self._predictors.popitem(last=False)
        return found

    def _find(self, model: Any, version: Any) -> Predictor | None:
        with self._lock:
            here, predictor = self._predictors.get(model, (None, None))
            if predictor is None or here != version:
                return None
            self._predictors.move_to_end(model)
            return predictor


_pool = _Pool(POOL_SIZE)
