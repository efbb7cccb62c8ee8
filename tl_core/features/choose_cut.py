"""Where to cut: right behind the frozen layers, or earlier where less has to be cached and read again.

Inside a block a network is often several times wider than between blocks. Caching the narrow tensors of an
earlier cut and computing the few frozen layers in between again, in every epoch, can then be faster and takes a
fraction of the disk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import keras

from tl_core.features.partition import cut_tensors

# Orders of magnitude on two cores of a server CPU of 2023; their ratios decide, not their sizes.
READ_BYTES_PER_SECOND: Final = 0.6e9  # gathering a batch from a memory-mapped file, and copying it to TensorFlow
MOVED_BYTES_PER_SECOND: Final = 8e9  # of layers that pass over their input, such as an activation
OPERATIONS_PER_SECOND: Final = 2e10  # multiply-adds of a convolution
DEPTHWISE_OPERATIONS_PER_SECOND: Final = 6e9  # which has little to do with each value it loads
REACH: Final = 40  # layers before the end of the frozen ones that are considered
BYTES_PER_VALUE: Final = 4


@dataclass(frozen=True, slots=True)
class CutChoice:
    """How many layers run once, and what that means for one image."""

    layers: int  # at most the number of frozen ones
    cached_bytes: int  # per image
    cached_bytes_at_boundary: int  # per image, had the cut been right behind the frozen layers
    seconds: float  # estimated, per image and epoch: reading the cached output, and computing the layers in between

    @property
    def text(self) -> str | None:
        """The decision as text, if there was something to decide."""
        if self.cached_bytes == self.cached_bytes_at_boundary:
            return None
        return (
            f"Keeping the output of {self.layers} layers: {self.cached_bytes / 1e6:.2f} MB per image in place of "
            f"{self.cached_bytes_at_boundary / 1e6:.2f} MB; the frozen layers above them run again in every epoch."
        )


def choose_cut(base: keras.Model, frozen_layers: int) -> CutChoice:
    """The cut with the least time per image and epoch, by a simple model of reading and computing.

    Of the backbone 1 to all layers are frozen.
    """
    at_boundary = _cached_bytes(base, frozen_layers)
    best = CutChoice(frozen_layers, at_boundary, at_boundary, at_boundary / READ_BYTES_PER_SECOND)
    computing = 0.0
    for layers in range(frozen_layers - 1, max(0, frozen_layers - REACH), -1):
        computing += _seconds(base.layers[layers])
        if computing >= best.seconds:
            break
        kept = _cached_bytes(base, layers)
        seconds = kept / READ_BYTES_PER_SECOND + computing
        if seconds < best.seconds:
            best = CutChoice(layers, kept, at_boundary, seconds)
    return best


def _cached_bytes(base: keras.Model, layers: int) -> int:
    return sum(BYTES_PER_VALUE * math.prod(tensor.shape[1:]) for tensor in cut_tensors(base, layers))


def _seconds(layer: keras.Layer) -> float:
    """Estimated time of one layer for one image: its multiply-adds, or passing over its output."""
    shapes = [tuple(tensor.shape[1:]) for tensor in keras.tree.flatten(layer.output)]
    positions = sum(math.prod(shape[:-1]) for shape in shapes)
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)
    moved = 2 * BYTES_PER_VALUE * sum(math.prod(shape) for shape in shapes)
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    speed = DEPTHWISE_OPERATIONS_PER_SECOND if depthwise else OPERATIONS_PER_SECOND
    return float(positions * kernels / speed + moved / MOVED_BYTES_PER_SECOND)
