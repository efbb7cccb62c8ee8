"""Presets of KerasHub, written by KerasHub itself: tiny networks with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TINY_VIT: dict[str, Any] = {
    "image_shape": (32, 32, 3),
    "patch_size": 8,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 16,
    "mlp_dim": 24,
}
TINY_DINO: dict[str, Any] = {
    "patch_size": 7,
    "num_layers": 3,
    "hidden_dim": 16,
    "num_heads": 2,
    "intermediate_dim": 24,
    "num_register_tokens": 2,
    "image_shape": (42, 42, 3),
    "position_embedding_shape": (42, 42, 3),
}
TINY_TOWER: dict[str, Any] = {
    "patch_size": 8,
    "hidden_dim": 16,
    "num_layers": 3,
    "num_heads": 2,
    "intermediate_dim": 24,
    "image_shape": (32, 32, 3),
}
TINY_WORDS: dict[str, Any] = {
    "vocabulary_size": 40,
    "embedding_dim": 16,
    "hidden_dim": 16,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_dim": 24,
    "max_sequence_length": 8,
}
TINY_RESNET: dict[str, Any] = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 16, 24],
    "stackwise_num_blocks": [1, 1, 1],
    "stackwise_num_strides": [1, 2, 2],
    "block_type": "basic_block",
}


def shaken(backbone: Any) -> Any:
    """The same with weights that are not what they began as: no zeros, no ones."""
    import numpy as np

    rng = np.random.default_rng(3)
    for variable in backbone.weights:
        if "float" in variable.dtype:
            variable.assign(np.asarray(variable) + rng.uniform(0.02, 0.1, variable.shape))
    return backbone


def save_preset(folder: Path, backbone: Any, converter: Any = None) -> Any:
    """Write a preset, with its preprocessing if there is one; gives the backbone."""
    shaken(backbone).save_to_preset(str(folder))
    if converter is not None:
        converter.save_to_preset(str(folder))
    return backbone


def vit(**changes: Any) -> Any:
    """A transformer with a class token."""
    import keras_hub

    return keras_hub.models.ViTBackbone(**TINY_VIT | changes)


def vit_converter(**changes: Any) -> Any:
    """To -1 to 1, channel by channel."""
    import keras_hub

    settings: dict[str, Any] = {
        "image_size": (32, 32),
        "scale": [1 / 127.5, 1 / 128, 1 / 129],
        "offset": [-1, -1.1, -0.9],
    }
    return keras_hub.layers.ViTImageConverter(**settings | changes)


def resnet(**changes: Any) -> Any:
    """A network of convolutions that takes images of any size."""
    import keras_hub

    return keras_hub.models.ResNetBackbone(**TINY_RESNET | changes)
