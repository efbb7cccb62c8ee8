"""What a phase is trained and checked with: features computed once, or images that are read again in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.features.compiled import Network
from tl_core.features.images import ImageRows
from tl_core.features.partition import TrainedPart

Array = npt.NDArray[Any]
Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


class CachedFeatures:
    """Outputs of the frozen layers, computed once: arrays on the disk or in memory."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self.arrays = tuple(arrays)

    @property
    def bytes(self) -> int:
        """Size of all arrays."""
        return sum(array.nbytes for array in self.arrays)

    def read(self, rows: Rows) -> list[Array]:
        """The given rows of each array, one array ``(len(rows), ...)`` per input of the trained part."""
        return [array[rows] for array in self.arrays]


@dataclass(frozen=True, eq=False)
class LiveImages:
    """Images read each time, augmented if configured, and run through the frozen layers if there are any."""

    images: ImageRows
    augment: Callable[[Images], Images] | None = None
    network: Network | None = None
    taken: int | None = None  # of its outputs: those that the trained part takes come first; None = all

    def read(self, rows: Rows) -> list[Array]:
        """The inputs of the trained part for these images, now."""
        images = self.images.read(rows)
        if self.augment is not None:
            images = self.augment(images)
        return [images] if self.network is None else self.network(images)[: self.taken]


Inputs = CachedFeatures | LiveImages
"""Inputs of a trained part, by row."""


@dataclass(frozen=True, slots=True)
class Subset:
    """Rows of some inputs for training or validation."""

    inputs: Inputs
    rows: Rows  # (m,)
    labels: npt.NDArray[np.int32]  # (m,)
    weights: npt.NDArray[np.float32]  # (m,) of each image in the loss

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class PhaseData:
    """What one phase trains, and on what."""

    trained: TrainedPart
    train: Callable[[int], Subset]  # by epoch: of cached views each draws its own
    validation: Subset
    test: Subset | None = None
    frozen: Callable[[tf.Tensor], list[tf.Tensor]] | None = None  # uint8 images -> inputs of the trained part
    text: str = ""  # what is trained, as text
    seen: tuple[Subset, Subset] | None = None  # what it sees of training and of validation images

    @property
    def checks_quickly(self) -> bool:
        """Whether validation and test images need not go through the frozen layers again."""
        return isinstance(self.validation.inputs, CachedFeatures)
