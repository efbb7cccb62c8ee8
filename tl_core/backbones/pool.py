"""One built backbone kept for the next training.

Building a backbone and loading its weights takes longer than the first epochs on stored features, so a training that
has left its backbone as it was gives it back here, and the next one that wants the same takes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import keras

from tl_core.backbones.build import build_backbone, checked_image_size
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.weights import Progress

MAX_KEPT_PARAMETERS: Final = 30_000_000  # 120 MB of memory between two trainings


@dataclass(frozen=True, slots=True)
class _Kind:
    """What makes two backbones with ImageNet weights the same."""

    name: str
    image_size: int
    dtype_policy: str


_kept: dict[_Kind, keras.Model] = {}
_lock = threading.Lock()


def acquire_backbone(
    name: str,
    image_size: int | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> keras.Model:
    """Give the kept backbone if it is the wanted one, else build it; arguments and errors as `build_backbone`.

    Returns:
        A backbone with ImageNet weights that nobody else holds; which layers are trainable is left to the caller.
    """
    kind = _kind(name, image_size)
    with _lock:
        base = _kept.pop(kind, None)
        _kept.clear()  # whoever wants another one now will want that one next
    if base is None:
        return build_backbone(name, image_size, "imagenet", progress, should_stop)
    # A model of its own over the same layers: what the last training built upon the old one goes with it.
    return keras.Model(base.input, base.output, name=base.name)


def release_backbone(name: str, image_size: int | None, base: keras.Model) -> None:
    """Keep a backbone for the next training, unless it is large.

    Args:
        base: from `take_backbone` with the same arguments; its weights must not have changed, and the caller must
            not use it afterwards.
    """
    if base.count_params() > MAX_KEPT_PARAMETERS:
        return
    with _lock:
        _kept.clear()
        _kept[_kind(name, image_size)] = base


def _kind(name: str, image_size: int | None) -> _Kind:
    backbone = get_backbone(name)
    return _Kind(name, checked_image_size(backbone, image_size), keras.config.dtype_policy().name)
