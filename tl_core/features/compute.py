"""The output of the frozen trunk for every image, computed once and cached."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.errors import StoppedError
from tl_core.features.cache import ArraySpec, DiskCache, Key, first_places, gathered
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
    names: tuple[str, ...] = ()  # of the rows, where each depends on its image alone: then they are cached one by one

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
) -> list[Any] | None:
    """The trunk's outputs for all rows: from the cache, or computed and cached.

    Args:
        compile_trunk: returns the network; only called if something has to be computed.
        batch_size: images at once.

    Returns:
        One array (or what reads like one, `Gathered`) per cut tensor, ``(len(run.rows), ...)``; None where they fit
        neither on the disk nor in memory.

    Raises:
        StoppedError: ``should_stop`` returned true.
    """

    total = len(run.rows)

    def fill(arrays: Sequence[Array], chosen: Rows | None = None) -> None:
        network = compile_trunk()
        places = np.arange(total) if chosen is None else chosen
        began, before = time.monotonic(), total - len(places)
        # Augmentation uses one core, the network both: done ahead in another thread, it fills the gaps.
        with prefetched(_read(run, places, batch_size)) as batches:
            for start, end, images in batches:
                if should_stop():
                    raise StoppedError(STOPPED)
                for array, output in zip(arrays, network(images), strict=True):
                    array[start:end] = output
                progress(before + end, total, end / (time.monotonic() - began))

    if run.names:
        return _named_rows(cache, run, fill)
    if (cached := cache.get_or_make(FEATURES_KIND, run.key, run.specs, fill)) is not None:
        return cached
    return _in_memory(run.specs, fill)


def _named_rows(cache: DiskCache, run: FeatureJob, fill: Callable[[Sequence[Array], Rows], None]) -> list[Any] | None:
    cached = cache.get_or_make_rows(FEATURES_KIND, run.key, run.names, run.outputs, fill)
    if cached is not None:
        return cached
    kept, where = cache.kept_rows(FEATURES_KIND, run.key, run.names)
    places = np.array(first_places(run.names, where), np.int64)
    made = _in_memory(
        [ArraySpec((len(places), *output.shape), output.dtype) for output in run.outputs],
        lambda arrays: fill(arrays, places),
    )
    return None if made is None else gathered(kept, where, run.names, ([run.names[at] for at in places], made))


def _in_memory(specs: Sequence[ArraySpec], fill: Callable[[Sequence[Array]], None]) -> list[Array] | None:
    if sum(spec.bytes for spec in specs) > IN_MEMORY_BYTES:
        return None
    arrays = [np.empty(spec.shape, spec.dtype) for spec in specs]
    fill(arrays)
    return arrays


def _read(run: FeatureJob, places: Rows, length: int) -> Iterator[tuple[int, int, Images]]:
    """Batches of the chosen output rows that do not mix plain and augmented ones; ``places`` go up."""
    total, plain = len(places), int(np.searchsorted(places, run.plain))
    for first, last, augment in ((0, plain, None), (plain, total, run.augment)):
        for start in range(first, last, length):
            end = min(start + length, last)
            images = run.images.read(run.rows[places[start:end]])
            yield start, end, images if augment is None else augment(images)
