"""The output of the frozen trunk for every image, computed once and cached."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.errors import StoppedError
from tl_core.features.cache import ArraySpec, DiskCache, Key
from tl_core.features.compiled import Network
from tl_core.features.images import STOPPED, ImageRows
from tl_core.features.prefetch import prefetched
from tl_core.machine.progress import ShouldStop

Array = npt.NDArray[Any]
Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Progress = Callable[[int, int, float], None]
"""Told images done, images in all, and images/s."""

FEATURES_KIND: Final = "features"  # of cache entries
IN_MEMORY_BYTES: Final = 256 << 20  # up to this much is held in memory where the disk has no room


@dataclass(frozen=True, slots=True)
class FeatureJob:
    """One pass of images through the trunk.

    ``rows[i]`` is the image (its row in ``images``) that output row ``i`` belongs to. Rows from ``plain`` on are
    changed at random first.
    """

    images: ImageRows
    rows: Rows
    outputs: tuple[ArraySpec, ...]  # of one image each
    key: Key
    plain: int  # how many of the first rows are taken as they are
    augment: Callable[[Images], Images] | None = None

    @property
    def specs(self) -> list[ArraySpec]:
        """Shapes of the complete outputs."""
        return [ArraySpec((len(self.rows), *output.shape), output.dtype) for output in self.outputs]


def compute_features(
    cache: DiskCache,
    run: FeatureJob,
    compile_trunk: Callable[[], Network],
    batch_size: int,
    progress: Progress,
    should_stop: ShouldStop,
) -> list[Array] | None:
    """The trunk's outputs for all rows: from the cache, or computed and cached.

    Args:
        compile_trunk: returns the network; only called if something has to be computed.
        batch_size: images at once.

    Returns:
        One array per cut tensor, ``(len(run.rows), ...)``; None where they fit neither on the disk nor in memory.

    Raises:
        StoppedError: ``should_stop`` returned true.
    """

    def fill(arrays: Sequence[Array]) -> None:
        network = compile_trunk()
        began, total = time.monotonic(), len(run.rows)
        # Augmentation uses one core, the network both: done ahead in another thread, it fills the gaps.
        with prefetched(_read(run, batch_size)) as batches:
            for start, end, images in batches:
                if should_stop():
                    raise StoppedError(STOPPED)
                for array, output in zip(arrays, network(images), strict=True):
                    array[start:end] = output
                progress(end, total, end / (time.monotonic() - began))

    if (cached := cache.get_or_make(FEATURES_KIND, run.key, run.specs, fill)) is not None:
        return cached
    if sum(spec.bytes for spec in run.specs) > IN_MEMORY_BYTES:
        return None
    arrays = [np.empty(spec.shape, spec.dtype) for spec in run.specs]
    fill(arrays)
    return arrays


def _read(run: FeatureJob, length: int) -> Iterator[tuple[int, int, Images]]:
    """Batches that do not mix plain and augmented rows."""
    total = len(run.rows)
    for first, last, augment in ((0, run.plain, None), (run.plain, total, run.augment)):
        for start in range(first, last, length):
            end = min(start + length, last)
            images = run.images.read(run.rows[start:end])
            yield start, end, images if augment is None else augment(images)
