"""Which layers of a backbone are trainable.

    >>> base = build_backbone("vgg16", weights="random")
    >>> freeze_layers(base, len(base.layers) - 4)   # block5 is trainable, the rest is frozen

A model must be compiled again after its layers were frozen or unfrozen.
"""

from __future__ import annotations

import keras

from tl_core.errors import ConfigError


def freeze_layers(base: keras.Model, frozen: int | None = None) -> None:
    """Freeze the first ``frozen`` layers of ``base.layers`` and make the others trainable.

    BatchNormalization layers that become trainable train their scale and offset; their statistics stay, because
    a `Classifier` calls its backbone with ``training=False``.

    Args:
        base: a backbone.
        frozen: 0 to the number of layers; None = all.

    Raises:
        ConfigError: ``frozen`` is out of range.
    """
    count = len(base.layers)
    frozen = count if frozen is None else frozen
    if not 0 <= frozen <= count:
        raise ConfigError(f"{base.name} has {count} layers, of which 0 to {count} can be frozen. Received: {frozen}.")
    base.trainable = True  # a frozen model hides that some of its layers are trainable
    for index, layer in enumerate(base.layers):
        layer.trainable = index >= frozen
