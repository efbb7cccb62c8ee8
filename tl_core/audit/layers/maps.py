"""The feature maps of one picture, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.audit.layers.block_outputs import opened_blocks
from tl_core.backbones.registry import get_backbone
from tl_core.data.normalise import resize_image
from tl_core.machine.device import use_device
from tl_core.machine.progress import UNATTENDED, TaskContext

Map = npt.NDArray[np.float32]

STRONGEST: Final = 8  # channels of each block whose maps are kept


@dataclass(frozen=True, slots=True)
class BlockMaps:
    """What one block gives for one picture."""

    title: str
    side: tuple[int, int]  # height and width of its maps
    channels: int  # in all
    mean: Map  # (h, w) in 0-1: how much all channels together respond at each place, by their absolute values
    strongest: tuple[int, ...]  # the channels with the highest values, the highest first
    maps: Map  # (len(strongest), h, w) in 0-1, each from its lowest to its highest value


def feature_maps(
    backbone: str,
    picture: npt.NDArray[np.uint8],
    image_size: int | None = None,
    task: TaskContext = UNATTENDED,
    fit: str = "squeeze",
) -> tuple[BlockMaps, ...]:
    """Show one picture to a backbone.

    Args:
        picture: ``(h, w, 3)`` RGB, of any size.
        image_size: width and height to which it is resized; None = the backbone's own.
        fit: how it is made square: `tl_core.data.decoding.fit_to_square`.

    Returns:
        One entry per block that ends in a map, first to last.

    Raises:
        ConfigError: the backbone is unknown or the image size too small for it.
        WeightsUnavailableError: its weights are not here and cannot be downloaded.
    """
    use_device("float32")
    size = get_backbone(backbone).checked_image_size(image_size)
    with opened_blocks(backbone, size, task) as network:
        found = [values.numpy()[0] for values in network.maps(resize_image(picture, size, fit)[None])]
    return tuple(_maps(block.title, values) for block, values in zip(network.blocks, found, strict=True))


def _maps(title: str, values: npt.NDArray[Any]) -> BlockMaps:
    height, width, channels = values.shape
    # Several channels may reach the ceiling of a ReLU6: then the one comes first that tells more places apart.
    strongest = np.lexsort((-values.std(axis=(0, 1)), -values.max(axis=(0, 1))))[:STRONGEST]
    maps = np.stack([_stretched(values[..., channel]) for channel in strongest])
    mean = _stretched(np.abs(values).mean(axis=-1))
    return BlockMaps(title, (height, width), channels, mean, tuple(strongest.tolist()), maps)


def _stretched(values: npt.NDArray[Any]) -> Map:
    low, high = float(values.min()), float(values.max())
    return ((values - low) / (high - low) if high > low else np.zeros_like(values)).astype(np.float32)
