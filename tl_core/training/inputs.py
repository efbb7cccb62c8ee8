"""Where a phase gets its batches from: stored arrays, or images changed and run through the trunk as needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tl_core.features.compiled import Network
from tl_core.features.images import ImageRows

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8]


class Feed(Protocol):
    """Inputs of a trained part, by row."""

    def read(self, rows: Rows) -> list[Array]:
        """One array ``(len(rows), ...)`` per input of the trained part."""


class CachedFeatures:
    """Rows of arrays that lie on the disk or in memory."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self.arrays = tuple(arrays)

    @property
    def bytes(self) -> int:
        """Size of all arrays."""
        return sum(array.nbytes for array in self.arrays)

    def read(self, rows: Rows) -> list[Array]:
        """The given rows of each array."""
        return [array[rows] for array in self.arrays]


class LiveImages:
    """Images read afresh each time, changed at random if wished, and run through the trunk if there is one."""

    def __init__(
        self, images: ImageRows, augment: Callable[[Images], Images] | None = None, network: Network | None = None
    ) -> None:
        self._images = images
        self._augment = augment
        self._network = network

    def read(self, rows: Rows) -> list[Array]:
        """What the trained part sees of these images, now."""
        images = self._images.read(rows)
        if self._augment is not None:
            images = self._augment(images)
        return [images] if self._network is None else self._network(images)
