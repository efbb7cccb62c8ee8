"""Which training images a model finds most like an image: nearest in the space of its backbone's features.

The features are the backbone's output, averaged over the places of the picture: what the head sees of it, as *what*
without *where*. Two images are as alike as the cosine of the angle between their features (1 = the same direction).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.errors import DataError
from tl_core.features.cache import ArraySpec, Key, open_cache
from tl_core.features.compiled import Network, compile_network
from tl_core.features.images import ImageRows, open_images, pixels_key
from tl_core.machine.device import find_device
from tl_core.machine.pool import Pool
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.models.classifier import Classifier, split_classifier
from tl_core.models.load import load_stored
from tl_core.runs import RunRecord, load_run
from tl_core.runs.evaluations import model_digest

Features = npt.NDArray[np.float32]
"""``(images, channels)``, each row of length 1."""
Rows = npt.NDArray[np.int64]

KIND: Final = "pooled"  # of cache entries
_BATCH: Final = 32
_held: Final[Pool[Features]] = Pool(1)  # the latest ones for which the cache has no room


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One training image that looks like another to the model."""

    record: ImageRecord
    similarity: float  # cosine of the features, -1 to 1


def nearest_neighbours(features: Features, dataset: Dataset, image: ImageRecord, count: int = 6) -> list[Neighbour]:
    """The training images most like one image of the dataset, most alike first; never the image itself.

    Args:
        features: of all images of the dataset, in its order.

    Raises:
        DataError: the dataset has no such image.
    """
    row = next((row for row, record in enumerate(dataset.images) if record.file == image.file), None)
    if row is None:
        raise DataError(f"The image “{image.source_name}” is not in the dataset “{dataset.name}” any more.")
    others = np.array(
        [i for i, record in enumerate(dataset.images) if record.split == "train" and i != row], np.int64
    )
    similarity = np.asarray(features[others] @ features[row])
    order = np.argsort(-similarity, kind="stable")[:count]
    return [Neighbour(dataset.images[others[place]], float(similarity[place])) for place in order]


def cached_features(run_path: Path, dataset: Dataset) -> Features | None:
    """The features of all images of a dataset where they have been computed before; None where not.

    Raises:
        RunNotFoundError: there is no such run.
    """
    run = load_run(run_path)
    if not run.has_model:
        return None
    cache, key = open_cache(dataset.workspace), _key(run)
    found = cache.open_rows(KIND, key, _names(dataset))
    return np.asarray(found[0]) if found else _held.find(_held_name(key, dataset))


def feature_vectors(run_path: Path, dataset: Dataset, task: TaskContext = UNATTENDED) -> Features:
    """Compute the features of all images of a dataset; `cached_features` has them afterwards.

    Args:
        task: gets images done and images in all; checked for a stop between batches.

    Raises:
        ModelUnavailableError: the run has no usable model.
        StoppedError: a stop was requested.
    """
    run, cache = load_run(run_path), open_cache(dataset.workspace)
    classifier = split_classifier(load_stored(run))
    images = open_images(cache, dataset, classifier.image_size, task.without_progress(), run.config.fit)
    network = compile_network(_pooled(classifier), classifier.image_size, find_device("float32"), batch_size=_BATCH)
    spec = ArraySpec((int(classifier.base.output_shape[-1]),), "float32")

    def fill(arrays: Sequence[Features], places: Rows) -> None:
        _fill(arrays[0], network, images, places, task)

    key = _key(run)
    if cached := cache.get_or_make_rows(KIND, key, _names(dataset), [spec], fill):
        return np.asarray(cached[0])
    features = np.empty((len(images), *spec.shape), np.float32)
    _fill(features, network, images, np.arange(len(images)), task)
    _held.put(_held_name(key, dataset), features)
    return features


def _pooled(classifier: Classifier) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    def forward(images: tf.Tensor) -> list[tf.Tensor]:
        scaled = classifier.preprocess(tf.cast(images, tf.float32), training=False)
        return [tf.cast(tf.reduce_mean(classifier.base(scaled, training=False), axis=(1, 2)), tf.float32)]

    return forward


def _fill(array: npt.NDArray[Any], network: Network, images: ImageRows, places: Rows, task: TaskContext) -> None:
    before = len(images) - len(places)
    for start in range(0, len(places), _BATCH):
        task.stop_if_asked("The search for similar images was stopped.")
        chosen = places[start : start + _BATCH]
        values = network(images.read(chosen))[0]
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        array[start : start + len(chosen)] = values / np.maximum(lengths, np.finfo(np.float32).tiny)
        task.report(before + start + len(chosen), len(images))


def _key(run: RunRecord) -> Key:
    return {"model": run.model_sha256 or model_digest(run)}


def _names(dataset: Dataset) -> list[str]:
    return [image.pixels_sha256 for image in dataset.images]


def _held_name(key: Key, dataset: Dataset) -> str:
    return f"{key['model']} {pixels_key(dataset.images)}"
