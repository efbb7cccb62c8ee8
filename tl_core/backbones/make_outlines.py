"""Writes the outlines of the backbones from the real models.

``python -m tl_core.backbones.make_outlines [NAME ...]``, for all backbones or some; to be run after a backbone was
added or Keras changed one.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import keras

from tl_core.backbones.block_names import GROUPINGS, SPECIAL_GROUPINGS, group_layers, settled_names
from tl_core.backbones.build import build_backbone
from tl_core.backbones.outline import OUTLINES, to_json
from tl_core.backbones.registry import BACKBONES, get_backbone
from tl_core.storage.files import write_bytes


def outline_of(name: str, base: keras.Model) -> Any:
    """Describe a built backbone in the form in which outlines are stored.

    Args:
        name: of the backbone in the registry.
        base: built at the backbone's own image size.
    """
    backbone = get_backbone(name)
    kinds = [type(layer).__name__ for layer in base.layers]
    names = settled_names([layer.name for layer in base.layers], kinds)
    sizes = [_parameters(layer) for layer in base.layers]
    layers = [(*start, *size) for start, size in zip(zip(names, kinds, strict=True), sizes, strict=True)]
    grouping = SPECIAL_GROUPINGS.get(name) or GROUPINGS[backbone.family]
    return to_json(layers, group_layers(names, grouping), base.output_shape[1:])


def _parameters(layer: keras.Layer) -> tuple[int, int]:
    """Numbers of all parameters and of the trainable ones."""
    return layer.count_params(), sum(math.prod(weight.shape) for weight in layer.trainable_weights)


def main(names: list[str]) -> None:
    """Write the outlines of the named backbones, or of all."""
    for name in names or BACKBONES:
        outline = outline_of(name, build_backbone(name, weights="random"))
        write_bytes(OUTLINES / f"{name}.json", (json.dumps(outline, separators=(",", ":")) + "\n").encode())
        sys.stderr.write(f"{name}: {len(outline['kind'])} layers in {len(outline['blocks'])} blocks\n")


if __name__ == "__main__":
    main(sys.argv[1:])
