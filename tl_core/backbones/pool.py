"""One built backbone, held in memory for the next training.

Building a backbone and loading its weights takes longer than the first epochs on cached features. A training that has
not changed its backbone releases it to the pool, and the next training with the same backbone acquires it.
"""

from __future__ import annotations

from typing import Any, Final

import keras

from tl_core.backbones.build import build_backbone
from tl_core.backbones.registry import get_backbone
from tl_core.machine.pool import Pool
from tl_core.machine.progress import UNATTENDED, TaskContext

MAX_PARAMETERS: Final = 30_000_000  # 120 MB of memory between two trainings

_pool: Final[Pool[keras.Model]] = Pool(1)


def acquire_backbone(name: str, image_size: int | None = None, task: TaskContext = UNATTENDED) -> keras.Model:
    """Return the held backbone if it is the requested one, else build it; arguments and errors as `build_backbone`.

    Returns:
        A backbone with ImageNet weights that nothing else uses; the caller sets which layers are trainable.
    """
    base = _pool.take(_key(name, image_size))
    _pool.clear()  # whoever wants another one now will want that one next
    if base is None:
        return build_backbone(name, image_size, "imagenet", task)
    # A model of its own over the same layers: what the last training built upon the old one goes with it.
    return keras.Model(base.input, base.output, name=base.name)


def release_backbone(name: str, image_size: int | None, base: keras.Model) -> None:
    """Hold a backbone for the next training, unless it is large.

    Args:
        base: from `acquire_backbone` with the same arguments; its weights must not have changed, and the caller must
            not use it afterwards.
    """
    if base.count_params() <= MAX_PARAMETERS:
        _pool.put(_key(name, image_size), base)


def _key(name: str, image_size: int | None) -> Any:
    """What makes two backbones with ImageNet weights the same."""
    return name, get_backbone(name).checked_image_size(image_size), keras.config.dtype_policy().name
