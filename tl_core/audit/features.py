"""The default backbone's output for the images of a dataset, or for parts of these images; cached image by image."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.backbones.outline import feature_shape
from tl_core.backbones.pool import acquire_backbone, release_backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.scaling import build_scaling
from tl_core.config import TrainingConfig
from tl_core.data.dataset import Dataset
from tl_core.data.health import shape_tells
from tl_core.features.cache import ArraySpec, open_cache
from tl_core.features.compiled import Network, compile_network
from tl_core.features.images import ImageRows, fit_in_key, open_images
from tl_core.machine.device import use_device
from tl_core.machine.progress import TaskContext

Features = npt.NDArray[np.float32]
"""``(images, channels)``: the backbone's feature map, averaged over its places."""
Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

KIND: Final = "pooled"  # of cache entries
STOPPED: Final = "The audit was stopped."
BACKBONE: Final = TrainingConfig().backbone
_BATCH: Final = 32


def corners(images: Images) -> Images:
    """The four corners of each image, put together and enlarged to its size: what lies around the object."""
    quarter = images.shape[1] // 4
    left, right = images[:, :, :quarter], images[:, :, -quarter:]
    sides = np.concatenate([left, right], axis=2)
    return _enlarged(np.concatenate([sides[:, :quarter], sides[:, -quarter:]], axis=1), images.shape[1])


def centre(images: Images) -> Images:
    """The middle of each image, as large as its `corners` are together, and enlarged as they are."""
    quarter = images.shape[1] // 4
    inner = slice(quarter, 3 * quarter)
    return _enlarged(images[:, inner, inner], images.shape[1])


def centre_masked(images: Images) -> Images:
    """The images with their middle (60 % of each side) painted grey."""
    masked = images.copy()
    edge = round(0.2 * images.shape[1])
    masked[:, edge:-edge, edge:-edge] = 128
    return masked


VIEWS: Final[Mapping[str, Callable[[Images], Images]]] = {
    "whole": lambda images: images,
    "corners": corners,
    "centre": centre,
    "centre_masked": centre_masked,
}


def fit_of(dataset: Dataset) -> str:
    """How the pictures of a dataset are made square where no run says so: as health advises to train on them.

    Squeezed, the whole picture counts and not how it was held. Where the shape of the pictures tells the classes
    apart, squeezing may take just that from them, as from a circle and an ellipse: then they get a border.
    """
    return "border" if len(dataset.classes) > 1 and shape_tells(dataset) else "squeeze"


class FeatureSource:
    """Gives the features of the images of one dataset; the backbone is built when something is not cached.

    Args:
        dataset: whose images.
        task: checked for a stop between batches; gets images done and in all of the pass at work.
    """

    def __init__(self, dataset: Dataset, task: TaskContext) -> None:
        self._dataset = dataset
        self._task = task
        self._cache = open_cache(dataset.workspace)
        self._size = get_backbone(BACKBONE).checked_image_size(None)
        self._fit = fit_of(dataset)

    @functools.cached_property
    def images(self) -> ImageRows:
        """The images at the backbone's input size."""
        return open_images(self._cache, self._dataset, self._size, self._task.without_progress(), self._fit)

    def read(self, rows: Rows | None = None, view: str = "whole") -> Features:
        """The features of some images, of all where ``rows`` is None, each seen as ``VIEWS[view]`` shows it.

        Raises:
            WeightsUnavailableError: the backbone's weights are not here and cannot be downloaded.
            StoppedError: a stop was requested.
        """
        chosen = np.arange(len(self._dataset.images)) if rows is None else rows
        names = [self._dataset.images[row].pixels_sha256 for row in chosen]
        key = {"backbone": BACKBONE, "size": self._size, "view": view, **fit_in_key(self._fit)}
        spec = ArraySpec((feature_shape(get_backbone(BACKBONE), self._size)[-1],), "float32")

        def fill(arrays: Sequence[Any], places: Rows) -> None:
            self._fill(arrays[0], chosen[places], view)

        if found := self._cache.get_or_make_rows(KIND, key, names, [spec], fill):
            return np.asarray(found[0], np.float32)
        made = np.empty((len(names), *spec.shape), np.float32)
        self._fill(made, chosen, view)
        return made

    def _fill(self, array: npt.NDArray[Any], rows: Rows, view: str) -> None:
        with _network(self._size, self._task) as network:
            for start in range(0, len(rows), _BATCH):
                self._task.stop_if_asked(STOPPED)
                images = VIEWS[view](self.images.read(rows[start : start + _BATCH]))
                array[start : start + len(images)] = network(images)[0]
                self._task.report(start + len(images), len(rows), "Looking at the images")


@contextlib.contextmanager
def _network(size: int, task: TaskContext) -> Iterator[Network]:
    device = use_device("float32")
    base = acquire_backbone(BACKBONE, size, task.without_progress())
    scaling = build_scaling(get_backbone(BACKBONE).scaling, size)

    def forward(images: tf.Tensor) -> list[tf.Tensor]:
        scaled = scaling(tf.cast(images, tf.float32), training=False)
        return [tf.reduce_mean(base(scaled, training=False), axis=(1, 2))]

    try:
        yield compile_network(forward, size, device, batch_size=_BATCH)
    finally:
        release_backbone(BACKBONE, size, base)


def _enlarged(images: Images, size: int) -> Images:
    """Each pixel repeated, and the last ones once more where the sizes do not divide."""
    places = np.arange(size) * images.shape[1] // size
    return images[:, places][:, :, places]
