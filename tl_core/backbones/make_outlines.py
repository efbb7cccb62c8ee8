"""Writes the outlines of the backbones from the real models.

``python -m tl_core.backbones.make_outlines [NAME ...]``, for all backbones or some; to be run after a backbone was
added or Keras changed one.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras

from tl_core.backbones.block_maps import block_map
from tl_core.backbones.build import build_backbone
from tl_core.backbones.outline import OUTLINES, STRIDES, BackboneOutline, as_outline, load_outline
from tl_core.backbones.registry import BACKBONES, get_backbone
from tl_core.errors import ConfigError
from tl_core.storage.files import write_bytes
from tl_core.storage.workspace import is_id


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rules by layer name; layers that match none stay in the block of the layer before them."""

    starts: str | None = None  # a new block starts where the text matched (its first group) is a new one
    ends: str | None = None  # a block ends with a layer of such a name
    head: str | None = None  # from such a layer on: the convolution after the last block
    stem: str | None = "Stem"  # title of what comes before the first block; None: it belongs to the first block
    word: str = "Block"  # title of a block, before its number


HEAD_TITLE: Final = "Head conv"

_EFFICIENTNET: Final = Grouping(starts=r"^block\d", head=r"^top_conv$")
_STAGES_OF_RESIDUALS: Final = Grouping(starts=r"^conv\d_block")

GROUPINGS: Final[Mapping[str, Grouping]] = {
    "VGG": Grouping(starts=r"^block\d_", stem=None),
    "ResNet": _STAGES_OF_RESIDUALS,
    "ResNetV2": _STAGES_OF_RESIDUALS,
    "DenseNet": _STAGES_OF_RESIDUALS,  # each with the transition after it
    "Xception": Grouping(starts=r"^block\d+_", stem=None),
    "NASNet": Grouping(
        ends=r"^(reduction_concat_stem_2|normal_concat_\d+|reduction_concat_reduce_\d+)$", word="Cell"
    ),
    "EfficientNet": _EFFICIENTNET,
    "EfficientNet-Lite": _EFFICIENTNET,
    "EfficientNetV2": _EFFICIENTNET,
    "ConvNeXt": Grouping(starts=r"stage_0_block|downsampling_block_\d"),
}
# Families whose networks name their layers in different ways, by backbone.
SPECIAL_GROUPINGS: Final[Mapping[str, Grouping]] = {
    "inception_v3": Grouping(ends=r"^(max_pooling2d_1|mixed\d+)$"),
    "inception_resnet_v2": Grouping(
        ends=r"^(max_pooling2d_1|mixed_5b|block35_10_ac|mixed_6a|block17_20_ac|mixed_7a)$", head=r"^conv_7b$"
    ),
    "mobilenet": Grouping(starts=r"^conv_(?:pad|dw)_(\d+)$"),
    "mobilenet_v2": Grouping(starts=r"^(expanded_conv|block_\d+)_", head=r"^Conv_1$"),
    "mobilenet_v3_small": Grouping(starts=r"^(expanded_conv(?:_\d+)?)_[a-z]", head=r"^conv_1$"),
    "mobilenet_v3_large": Grouping(starts=r"^(expanded_conv(?:_\d+)?)_[a-z]", head=r"^conv_1$"),
}

# As the networks of hubs name their blocks.
_NAMED_BLOCKS: Final = Grouping(
    starts=r"(expanded_conv(?:_\d+)?|block_?\d+[a-z]?|blocks_\d+|sta(?:ge|ck)s?_?\d+|layers_\d+|conv\d+_block|Mixed_\d[a-z]|"
    r"unit_?\d+)_"
)
_FEWEST_BLOCKS: Final = 4


def settled_names(names: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """Name the layers as Keras does in a fresh process.

    Keras numbers the layers that have no name of their own through the whole process: the third model built in it
    may begin with ``conv2d_57``. Here each kind of layer, by its class name, counts from the start again:
    ``conv2d``, ``conv2d_1``, …
    """
    numbers = [_own_number(name, kind) for name, kind in zip(names, kinds, strict=True)]
    settled = []
    for name, kind, number in zip(names, kinds, numbers, strict=True):
        rank = sum(other == kind and 0 <= earlier < number for other, earlier in zip(kinds, numbers, strict=True))
        counted = f"{_snake_case(kind)}_{rank}" if rank else _snake_case(kind)
        settled.append(name if number < 0 else counted)
    return settled


def _own_number(name: str, kind: str) -> int:
    """The number Keras gave a layer without a name of its own; -1 where it has one."""
    match = re.fullmatch(rf"{_snake_case(kind)}(?:_(\d+))?", name)
    return int(match.group(1) or 0) if match else -1


def _snake_case(kind: str) -> str:
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def group_layers(names: Sequence[str], grouping: Grouping) -> list[tuple[str, int]]:
    """Find the blocks of a backbone by the names of its layers, as Keras gives them in a fresh process.

    Returns:
        Title and index of the first layer of each block, in order; the first starts at 0.
    """
    starts = _first_layers(names, grouping)
    if not starts or grouping.stem is None:
        starts[0:1] = [0]
    elif starts[0] != 0:
        starts.insert(0, 0)
    head = next((index for index, name in enumerate(names) if grouping.head and re.search(grouping.head, name)), None)
    numbers = itertools.count(1)
    blocks = []
    for start in starts:
        if start == 0 and grouping.stem is not None:
            blocks.append((grouping.stem, start))
        else:
            blocks.append((HEAD_TITLE if start == head else f"{grouping.word} {next(numbers)}", start))
    return blocks


def _first_layers(names: Sequence[str], grouping: Grouping) -> list[int]:
    starts: list[int] = []
    seen: set[str] = set()
    for index, name in enumerate(names):
        match = grouping.starts and re.search(grouping.starts, name)
        key = (match.group(match.re.groups and 1)) if match else None
        # One layer left over at the end, an activation, is no block of its own.
        after_end = grouping.ends and 0 < index < len(names) - 1 and re.search(grouping.ends, names[index - 1])
        at_head = grouping.head and re.search(grouping.head, name)
        if (key is not None and key not in seen) or after_end or at_head:
            starts.append(index)
        if key is not None:
            seen.add(key)
    return starts


def outline_of(name: str, base: keras.Model) -> Any:
    """Describe a built backbone of the registry; see `_described`."""
    names, _ = _settled(base)
    grouping = SPECIAL_GROUPINGS.get(name) or GROUPINGS[get_backbone(name).family]
    return _described(base, group_layers(names, grouping))


def outline_of_network(base: keras.Model) -> Any:
    """Describe a network from elsewhere: its blocks by the names of its layers, else by the size of its maps."""
    names, _ = _settled(base)
    blocks = group_layers(names, _NAMED_BLOCKS)
    return _described(base, blocks if len(blocks) >= _FEWEST_BLOCKS else _blocks_by_size(base))


def outline_in_model(name: str, base: keras.Model) -> BackboneOutline:
    """The outline of the backbone that a trained model holds, also where it is a network that was deleted since.

    Args:
        name: that the model's configuration has.
        base: the backbone in the model, from whose layers the outline of such a network is made anew.

    Raises:
        ConfigError: there is no such backbone, and the name is none that a network has.
    """
    try:
        return load_outline(name)
    except ConfigError:
        if not is_id(name):
            raise
        return as_outline(name, outline_of_network(base))


def _blocks_by_size(base: keras.Model) -> list[tuple[str, int]]:
    """A new block wherever the map gets smaller; the first layers are the stem."""
    blocks, smallest = [("Stem", 0)], base.input_shape[1]
    for index, layer in enumerate(base.layers):
        shape: Any = getattr(layer.output, "shape", ())
        if len(shape) == 4 and shape[1] < smallest:
            smallest = shape[1]
            if index - blocks[-1][1] > 1:
                blocks.append((f"Block {len(blocks)}", index))
    return blocks


def strides_of(base: keras.Model) -> str:
    """What a network does to width and height, as the letters of `tl_core.backbones.outline`.

    Raises:
        ValueError: no row of at most eight letters does the same.
    """
    size, left = int(base.input_shape[1]), int(base.output_shape[1])
    for length in range(9):
        for letters in itertools.combinations_with_replacement("udht", length):
            if functools.reduce(lambda length, letter: max(0, STRIDES[letter](length)), letters, size) == left:
                return "".join(letters)
    for patch in range(2, size):
        if size // patch == left and (letters_of_patch := _letters_of(patch)):
            return letters_of_patch
    raise ValueError(f"no strides lead from {size} to {left}")


def _letters_of(patch: int) -> str | None:
    """A division by the side of a patch as letters, one after another; None where there are none for it."""
    letters = ""
    for divisor, letter in ((2, "d"), (3, "3"), (5, "5"), (7, "7")):
        while patch % divisor == 0:
            patch, letters = patch // divisor, letters + letter
    return letters if patch == 1 else None


def _settled(base: keras.Model) -> tuple[list[str], list[str]]:
    """Names of the layers, as in a fresh process, and their kinds."""
    kinds = [type(layer).__name__ for layer in base.layers]
    return settled_names([layer.name for layer in base.layers], kinds), kinds


def _described(base: keras.Model, blocks: Sequence[tuple[str, int]]) -> Any:
    """Describe a built backbone in few bytes: a column per property, kinds as numbers, names as what differs.

    Of each name the file has the number of leading characters that it shares with the name before it, and the rest.
    """
    names, kind_names = _settled(base)
    kinds = list(dict.fromkeys(kind_names))
    parameters = [layer.count_params() for layer in base.layers]
    trainable = [sum(math.prod(weight.shape) for weight in layer.trainable_weights) for layer in base.layers]
    shared = [len(os.path.commonprefix(pair)) for pair in itertools.pairwise(["", *names])]  # noqa: RUF071  # of letters
    ends = [first for _, first in blocks[1:]] + [len(names)]
    maps = [block_map(base, end) for end in ends]
    return {
        "feature_shape": list(base.output_shape[1:]),
        "blocks": [list(block) for block in blocks],
        "channels": [0 if found is None else found.shape[-1] for found in maps],
        "kinds": kinds,
        "kind": [kinds.index(kind) for kind in kind_names],
        "parameters": parameters,
        "frozen": [count - learning for count, learning in zip(parameters, trainable, strict=True)],
        "shared": shared,
        "rest": [layer[count:] for layer, count in zip(names, shared, strict=True)],
    }


def main(names: list[str]) -> None:
    """Write the outlines of the named backbones, or of all."""
    for name in names or BACKBONES:
        outline = outline_of(name, build_backbone(name, weights="random"))
        write_bytes(OUTLINES / f"{name}.json", (json.dumps(outline, separators=(",", ":")) + "\n").encode())
        sys.stderr.write(f"{name}: {len(outline['kind'])} layers in {len(outline['blocks'])} blocks\n")


if __name__ == "__main__":
    main(sys.argv[1:])
