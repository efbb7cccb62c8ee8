"""What the frozen backbone says about every image of a set, computed once and kept outside the repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.defaults.image_sets import Images, ImageSet
from tl_core.backbones.registry import get_backbone
from tl_core.data.normalise import resize_image
from tl_core.storage.files import replacing

BACKBONE: Final = "efficientnet_lite0"
POOLINGS: Final = ("average", "max")

_VERSION: Final = 1  # of what is kept
_CHUNK: Final = 64  # images resized and computed at a time

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Features:
    """Pooled feature maps of all images of a set, in its order."""

    average: npt.NDArray[np.float32]  # (n, channels)
    max: npt.NDArray[np.float32]  # (n, channels)

    def pooled(self, pooling: str) -> npt.NDArray[np.float32]:
        """As feature maps of one place, ``(n, 1, 1, channels)``, of which any pooling is the same again."""
        return getattr(self, pooling)[:, np.newaxis, np.newaxis, :]  # type: ignore[no-any-return]


def cache_folder() -> Path:
    """Where features and results are kept: ``TL_BENCHMARK_CACHE``, else the user's own cache folder."""
    base = os.environ.get("TL_BENCHMARK_CACHE") or Path.home() / ".cache" / "transfer-learning-benchmarks"
    return Path(base).expanduser()


def load_features(images: ImageSet) -> Features:
    """Read the features of a set, or compute and keep them."""
    path = cache_folder() / f"{images.description.name}-{BACKBONE}-{images.fingerprint[:16]}-{_VERSION}.npz"
    if not path.is_file():
        average, largest = compute_pooled(images.images)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, average=average, max=largest)
    with np.load(path, allow_pickle=False) as kept:
        return Features(kept["average"], kept["max"])


def compute_pooled(images: Images) -> list[Array]:
    """Average and maximum over the places of the backbone's feature map, each ``(n, channels)`` float32."""
    import keras

    from tl_core.backbones.build import build_backbone
    from tl_core.backbones.scaling import build_scaling
    from tl_core.features.compiled import compile_network
    from tl_core.machine.device import use_device

    device = use_device("float32")
    backbone = get_backbone(BACKBONE)
    base = build_backbone(BACKBONE)
    scale = build_scaling(backbone.scaling, backbone.image_size)

    def forward(batch: Any) -> list[Any]:
        maps = base(scale(keras.ops.cast(batch, "float32")), training=False)
        return [keras.ops.mean(maps, axis=(1, 2)), keras.ops.max(maps, axis=(1, 2))]

    network = compile_network(forward, backbone.image_size, device)
    parts = [network(chunk) for chunk in resized(images, backbone.image_size)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def resized(images: Images, size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Chunks of images as the product resizes them, ``(m, size, size, 3)``."""
    for start in range(0, len(images), _CHUNK):
        yield np.stack([resize_image(image, size) for image in images[start : start + _CHUNK]])
