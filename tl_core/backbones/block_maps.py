"""The map in which a block of a backbone ends, also where it is a list of tokens.

A transformer carries its image as tokens ``(n, tokens, channels)``, and its backbone ends in two layers that lay
them out as a map: `Cropping1D` takes the class token and registers away, `Reshape` puts the others where their
patches are. The same is done here with the tokens after any block.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def block_map(base: keras.Model, end: int) -> Any | None:
    """The map ``(n, h, w, channels)`` that the first ``end`` layers of a backbone end in; None where that is none."""
    output = base.layers[end - 1].output
    return None if end_of_block(base, end) is None else as_map(base, output)


def end_of_block(base: keras.Model, end: int) -> Any | None:
    """The map or the tokens that the first ``end`` layers of a backbone end in; None where it is neither."""
    output = base.layers[end - 1].output
    if isinstance(output, (list, tuple)):
        return None
    tokens = len(output.shape) == 3 and output.shape[1] == tokens_of(base) and output.shape[2] == base.output_shape[3]
    return output if tokens or len(output.shape) == 4 else None


def as_map(base: keras.Model, values: Any) -> Any:
    """Values of `end_of_block` as a map ``(n, h, w, channels)``.

    Args:
        base: the backbone.
        values: a map, which stays as it is, or tokens ``(n, tokens, channels)``; of Keras or of TensorFlow.
    """
    if len(values.shape) == 4:
        return values
    height, width = base.output_shape[1:3]
    if before := values.shape[1] - height * width:
        values = layers.Cropping1D((before, 0))(values)
    return layers.Reshape((height, width, values.shape[-1]))(values)


def tokens_of(base: keras.Model) -> int:
    """How many tokens a transformer carries, class token and registers included; 0 for other backbones."""
    last = base.layers[-1]
    if not isinstance(last, layers.Reshape) or len(last.input.shape) != 3:
        return 0
    before = base.layers[-2]
    return int((before if isinstance(before, layers.Cropping1D) else last).input.shape[1])
