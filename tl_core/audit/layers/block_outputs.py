"""A backbone with one output per block, and what of these outputs is kept of every image of a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tl_core.audit.features import Features, Rows
from tl_core.backbones.block_maps import block_map
from tl_core.backbones.outline import BlockOutline, load_outline
from tl_core.backbones.pool import acquire_backbone, release_backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.scaling import build_scaling
from tl_core.data.dataset import Dataset
from tl_core.features.cache import ArraySpec, open_cache
from tl_core.features.compiled import compile_network
from tl_core.features.images import ImageRows, fit_in_key, open_images
from tl_core.features.prefetch import prefetched
from tl_core.machine.device import Device, use_device
from tl_core.machine.progress import UNATTENDED, TaskContext

KIND: Final = "blocks"  # of cache entries
STOPPED: Final = "Looking into the layers was stopped."
_BATCH: Final = 32
_STATISTICS: Final = 2  # kept of every channel: its average and its highest value


@dataclass(frozen=True, slots=True)
class BlockFeatures:
    """What one block gives for some images, each channel pooled over its map."""

    block: BlockOutline
    average: Features  # (images, channels)
    most: Features  # (images, channels): the highest value anywhere in the image


@dataclass(frozen=True, slots=True)
class BlockNetwork:
    """A backbone whose outputs are the maps in which its blocks end."""

    blocks: tuple[BlockOutline, ...]  # those that end in a map
    channels: tuple[int, ...]  # of each map
    maps: Callable[[Any], list[tf.Tensor]]  # raw RGB [0, 255] (n, s, s, 3) to one (n, h, w, channels) per block


@contextlib.contextmanager
def opened_blocks(backbone: str, size: int, task: TaskContext = UNATTENDED) -> Iterator[BlockNetwork]:
    """Build the network, or take the one held in memory; it is held for the next one afterwards.

    Args:
        size: of the images, in pixels.
        task: gets the bytes done while weights are downloaded.

    Raises:
        WeightsUnavailableError: the weights are not here and cannot be downloaded.
    """
    base = acquire_backbone(backbone, size, task)
    try:
        scaling = build_scaling(get_backbone(backbone).scaling, size)
        found = [(block, block_map(base, block.end)) for block in load_outline(backbone).blocks]
        ends = [(block, end) for block, end in found if end is not None]
        outputs = keras.Model(base.input, [end for _, end in ends])

        def maps(images: Any) -> list[tf.Tensor]:
            found = outputs(scaling(tf.cast(images, tf.float32), training=False), training=False)
            return list(found) if isinstance(found, (list, tuple)) else [found]

        yield BlockNetwork(tuple(block for block, _ in ends), tuple(int(end.shape[-1]) for _, end in ends), maps)
    finally:
        release_backbone(backbone, size, base)


def read_block_features(
    dataset: Dataset, rows: Rows, backbone: str, size: int, task: TaskContext = UNATTENDED, fit: str = "squeeze"
) -> list[BlockFeatures]:
    """What every block gives for these images, from the cache where they have passed before.

    Args:
        rows: of ``dataset.images``.
        size: of the images that the backbone gets, in pixels.
        task: gets images done and in all; checked for a stop between batches.
        fit: what becomes of images that are not square: `tl_core.data.decoding.fit_to_square`.

    Raises:
        WeightsUnavailableError: the weights are not here and cannot be downloaded.
        StoppedError: a stop was requested.
    """
    device, cache = use_device("auto"), open_cache(dataset.workspace)
    key: dict[str, Any] = {"backbone": backbone, "weights": get_backbone(backbone).weights_hash, "size": size}
    key |= fit_in_key(fit)
    key |= {"precision": [device.kind, device.dtype_policy, device.trunk_precision]}
    names = [dataset.images[row].pixels_sha256 for row in rows]
    with opened_blocks(backbone, size, task) as network:
        specs = [ArraySpec((channels,), "float32") for channels in network.channels for _ in range(_STATISTICS)]

        def fill(arrays: Sequence[Any], places: Rows) -> None:
            images = open_images(cache, dataset, size, task.without_progress(), fit)
            _fill(arrays, images, rows[places], network, device, task)

        found = cache.get_or_make_rows(KIND, key, names, specs, fill)
        if found is None:  # no room on the disk
            found = [np.empty((len(rows), *spec.shape), spec.dtype) for spec in specs]
            fill(found, np.arange(len(rows)))
    pairs = zip(network.blocks, found[::_STATISTICS], found[1::_STATISTICS], strict=True)
    return [BlockFeatures(block, np.asarray(average), np.asarray(most)) for block, average, most in pairs]


def _fill(
    arrays: Sequence[Any], images: ImageRows, rows: Rows, network: BlockNetwork, device: Device, task: TaskContext
) -> None:
    def forward(batch: tf.Tensor) -> list[tf.Tensor]:
        pooled = []
        for found in network.maps(batch):
            values = tf.cast(found, tf.float32)
            pooled += [tf.reduce_mean(values, axis=(1, 2)), tf.reduce_max(values, axis=(1, 2))]
        return pooled

    sample = images.read(rows[:_BATCH])
    compiled = compile_network(forward, images.size, device, batch_size=_BATCH, sample=sample)
    starts = range(0, len(rows), _BATCH)
    with prefetched(images.read(rows[start : start + _BATCH]) for start in starts) as batches:
        for start, batch in zip(starts, batches, strict=True):
            task.stop_if_asked(STOPPED)
            for array, output in zip(arrays, compiled(batch), strict=True):
                array[start : start + len(batch)] = output
            task.report(start + len(batch), len(rows), "Looking at the images")
