"""The layers, blocks and feature maps of every backbone, read from a file: a page can show them without TensorFlow.

The files are written by ``python -m tl_core.backbones.make_outlines`` from the real models; a test compares them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.networks import outline_file
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import get_backbone
from tl_core.errors import ConfigError
from tl_core.storage.files import read_json

OUTLINES: Final = Path(__file__).parent / "outlines"

# What a layer does to a width or height, by its letter in `Backbone.strides`: half of it rounded up (stride 2 with
# “same” padding) or down (pooling), a 3x3 window with stride 2 and no padding, one with stride 1 and no padding.
STRIDES: Final[Mapping[str, Callable[[int], int]]] = {
    "u": lambda size: (size + 1) // 2,
    "d": lambda size: size // 2,
    "h": lambda size: (size - 1) // 2,
    "t": lambda size: size - 2,
    "3": lambda size: size // 3,  # the digits are of patches, which a transformer takes side by side
    "5": lambda size: size // 5,
    "7": lambda size: size // 7,
}


@dataclass(frozen=True, slots=True)
class LayerOutline:
    """One entry of ``base.layers``."""

    name: str  # as in a fresh process; Keras numbers unnamed layers on
    kind: str  # its Keras class
    parameters: int
    trainable_parameters: int  # of these, where the layer is not frozen
    block: int  # index into the blocks


@dataclass(frozen=True, slots=True)
class BlockOutline:
    """A run of layers that belong together: ``layers[first:end]``."""

    title: str  # Stem, Block 1, …, Head conv
    first: int
    end: int
    parameters: int
    batch_norms: int  # BatchNormalization layers, which always stay in inference mode
    channels: int  # of the map that it ends in; 0 where that is none


@dataclass(frozen=True, slots=True)
class BackboneOutline:
    """The structure of one backbone without its head."""

    name: str
    layers: tuple[LayerOutline, ...]  # exactly ``base.layers``, in order
    blocks: tuple[BlockOutline, ...]
    feature_shape: tuple[int, int, int]  # (height, width, channels) at the backbone's own image size
    fine_tune_blocks: int  # how many of the last blocks fine-tuning unfreezes by default

    @property
    def parameters(self) -> int:
        """All parameters of the backbone."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def earlier_channels(self) -> tuple[int, ...]:
        """Channels of the maps in which the blocks before the last end, from the end on."""
        return tuple(block.channels for block in reversed(self.blocks[:-1]) if block.channels)

    def trainable_parameters(self, frozen_layers: int | None) -> int:
        """Trainable parameters when the first ``frozen_layers`` layers are frozen; None = all are."""
        if frozen_layers is None:
            return 0
        return sum(layer.trainable_parameters for layer in self.layers[self.checked(frozen_layers) :])

    def presets(self) -> dict[str, int]:
        """Numbers of frozen layers that get a button: all, all but the last block, half, none."""
        return {
            "all": len(self.layers),
            "all_but_last_block": self.blocks[-self.fine_tune_blocks].first,
            "half": len(self.layers) // 2,
            "none": 0,
        }

    def index(self, layer_name: str) -> int:
        """Find a layer by its name.

        Raises:
            ConfigError: there is none of this name.
        """
        names = [layer.name for layer in self.layers]
        if layer_name not in names:
            raise ConfigError(f"The backbone {self.name} has no layer named “{layer_name}”.")
        return names.index(layer_name)

    def checked(self, frozen_layers: int) -> int:
        """Check and return the number of frozen layers.

        Raises:
            ConfigError: it is negative or more than there are layers.
        """
        count = len(self.layers)
        if not 0 <= frozen_layers <= count:
            title = get_backbone(self.name).title
            raise ConfigError(
                f"{title} has {count} layers, of which 0 to {count} can be frozen. Got {frozen_layers}."
            )
        return frozen_layers


@functools.cache
def load_outline(name: str) -> BackboneOutline:
    """Read the outline of a backbone, as `tl_core.backbones.make_outlines.outline_of` describes it.

    Raises:
        ConfigError: there is no such backbone.
    """
    backbone = get_backbone(name)
    brought = backbone.source == "network"
    values: Any = read_json(outline_file(name) if brought else OUTLINES / f"{name}.json")
    return as_outline(name, values, backbone.fine_tune_blocks)


def as_outline(name: str, values: Any, fine_tune_blocks: int = 1) -> BackboneOutline:
    """A backbone as `tl_core.backbones.make_outlines` describes it."""
    starts = [first for _, first in values["blocks"]]
    bounds = list(pairwise([*starts, len(values["kind"])]))
    block_of = [index for index, (first, end) in enumerate(bounds) for _ in range(first, end)]
    columns = zip(_names(values), values["kind"], values["parameters"], values["frozen"], block_of, strict=True)
    layers = tuple(
        LayerOutline(layer, values["kinds"][kind], parameters, parameters - frozen, block)
        for layer, kind, parameters, frozen, block in columns
    )
    blocks = []
    # Outlines of networks from elsewhere that were written before heads could look at several blocks have none.
    ends = values.get("channels") or [0] * len(bounds)
    for (title, _), (first, end), channels in zip(values["blocks"], bounds, ends, strict=True):
        inside = layers[first:end]
        batch_norms = sum(layer.kind == "BatchNormalization" for layer in inside)
        parameters = sum(layer.parameters for layer in inside)
        blocks.append(BlockOutline(title, first, end, parameters, batch_norms, channels))
    height, width, features = values["feature_shape"]
    return BackboneOutline(name, layers, tuple(blocks), (height, width, features), fine_tune_blocks)


def _names(values: Any) -> Iterator[str]:
    name = ""
    for count, rest in zip(values["shared"], values["rest"], strict=True):
        name = name[:count] + rest
        yield name


def feature_shape(backbone: Backbone, image_size: int | None = None) -> tuple[int, int, int]:
    """Compute the shape of the last feature map.

    Args:
        image_size: width and height of the image in pixels; None = the backbone's own.

    Returns:
        ``(height, width, channels)``; 0 where the image is too small for the backbone.
    """
    size = image_size or backbone.image_size
    for letter in backbone.strides:
        size = max(0, STRIDES[letter](size))
    return size, size, backbone.features
