"""The head as code; what `tl_core.models.head` builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tl_core.config import HeadConfig

_POOLINGS: Final[Mapping[str, str]] = {
    "average": "layers.GlobalAveragePooling2D()",
    "max": "layers.GlobalMaxPooling2D()",
    "flatten": "layers.Flatten()",
}
_NORMALIZATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "none": (),
    "batch": ("layers.BatchNormalization()",),
    "layer": ("layers.LayerNormalization()",),
}
_OUTPUTS: Final[Mapping[str, str]] = {
    "softmax": 'layers.Dense(len(CLASSES), activation="softmax", dtype="float32")',
    "sigmoid": 'layers.Dense(1, activation="sigmoid", dtype="float32")',
}


def head_code(config: HeadConfig) -> str:
    """Code that names the model ``head``."""
    lines = ["features = keras.Input(base.output_shape[1:])"]
    source = "features"
    for layer in _layers(config):
        lines.append(f"x = {layer}({source})")
        source = "x"
    lines += [f'head = keras.Model(features, {_OUTPUTS[config.output]}(x), name="head")']
    return "\n".join(lines) + "\n"


def _layers(config: HeadConfig) -> Iterator[str]:
    yield _POOLINGS[config.pooling]
    yield from _NORMALIZATIONS[config.feature_normalization]
    penalty = f", kernel_regularizer=keras.regularizers.L2({config.l2!r})" if config.l2 else ""
    for units in config.dense_units:
        yield f'layers.Dense({units}, activation="{config.activation}"{penalty})'
        if config.batch_norm:
            yield "layers.BatchNormalization()"
        if config.dropout:
            yield f"layers.Dropout({config.dropout!r})"
    if not config.dense_units and config.dropout:
        yield f"layers.Dropout({config.dropout!r})"
