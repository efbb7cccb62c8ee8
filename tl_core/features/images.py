"""A dataset's images at the input size of a network, decoded and resized once and cached as one uint8 array."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.data.normalise import Reading
from tl_core.features.cache import ArraySpec, DiskCache, Gathered
from tl_core.machine.progress import TaskContext

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[Any]

_CHUNK: Final = 64  # images decoded between two progress reports
STOPPED: Final = "Stopped before the first epoch was finished, so there is no model to keep."


class StoredImages:
    """Images in memory-mapped arrays."""

    def __init__(self, array: Images | Gathered, fit: str = "squeeze") -> None:
        self._array = array
        self.fit = fit
        self.size = int(array.shape[1])  # pixels, width and height

    def __len__(self) -> int:
        return len(self._array)

    def read(self, rows: Rows) -> Images:
        """The images of these rows, ``(len(rows), size, size, 3)`` uint8."""
        return self._array[rows]


class StreamedImages:
    """Images decoded each time they are read, for a dataset too large to be cached at this size."""

    def __init__(self, dataset: Dataset, size: int, fit: str = "squeeze") -> None:
        self._dataset = dataset
        self.size = size
        self.fit = fit

    def __len__(self) -> int:
        return len(self._dataset.images)

    def read(self, rows: Rows) -> Images:
        records = [self._dataset.images[row] for row in rows]
        return np.stack(list(_decode(self._dataset, records, Reading(self.size, self.fit))))


ImageRows = StoredImages | StreamedImages
"""A dataset's images by row number, in the order of `Dataset.images`."""


def open_images(cache: DiskCache, dataset: Dataset, size: int, task: TaskContext, fit: str = "squeeze") -> ImageRows:
    """The dataset's images at ``size`` pixels, from the cache where they have been resized before.

    Args:
        fit: what becomes of images that are not square, see `tl_core.data.decoding.fit_to_square`.

    Raises:
        ImageError: a stored image is missing or damaged.
        StoppedError: a stop was requested.
    """

    def fill(arrays: Sequence[Images], places: Rows) -> None:
        total, before = len(dataset.images), len(dataset.images) - len(places)
        for start in range(0, len(places), _CHUNK):
            records = [dataset.images[place] for place in places[start : start + _CHUNK]]
            with contextlib.closing(_decode(dataset, records, Reading(size, fit))) as images:
                for row, image in enumerate(images, start):
                    arrays[0][row] = image
                    task.stop_if_asked(STOPPED)
            task.report(before + min(start + _CHUNK, len(places)), total)

    spec = ArraySpec((size, size, 3), "uint8")
    arrays = cache.get_or_make_rows("images", _key(size, fit), _names(dataset), [spec], fill)
    return StoredImages(arrays[0], fit) if arrays else StreamedImages(dataset, size, fit)


def images_are_kept(cache: DiskCache, dataset: Dataset, size: int, fit: str = "squeeze") -> bool:
    """Whether the images have been resized to this size before."""
    return cache.holds_rows("images", _key(size, fit), _names(dataset))


def _key(size: int, fit: str) -> dict[str, Any]:
    return {"size": size, **fit_in_key(fit)}


def fit_in_key(fit: str) -> dict[str, str]:
    """What tells cached rows apart by how images were made square; nothing where it is as it always was."""
    return {} if fit == "squeeze" else {"fit": fit}


def _names(dataset: Dataset) -> list[str]:
    return [image.pixels_sha256 for image in dataset.images]


def pixels_key(images: Iterable[ImageRecord]) -> str:
    """Sha256 over the pixels of the images in their order; labels and splits do not matter to it."""
    return hashlib.sha256("\n".join(image.pixels_sha256 for image in images).encode()).hexdigest()


def _decode(dataset: Dataset, records: Sequence[ImageRecord], reading: Reading) -> Generator[Images]:
    """Decode and resize in parallel; Pillow lets other threads run meanwhile. Closed early it begins no more."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield from pool.map(lambda record: reading.of_stored(dataset.path_of(record)), records)
    finally:
        pool.shutdown(cancel_futures=True)
