"""Datasets of seeded structured noise, as an import would leave them: no download, the same on every machine."""

from __future__ import annotations

import hashlib
import io
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from tl_core.data.dataset import IMAGES, Dataset, ImageRecord, fingerprint_of, load_dataset, write_manifest
from tl_core.data.normalise import normalise_image
from tl_core.storage.workspace import Workspace

Pixels = npt.NDArray[np.uint8]

CLASSES: Final = 10
_CREATED: Final = "2026-01-01T00:00:00+00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a dataset is made of; equal kinds are equal pixel for pixel."""

    images: int
    different: int = 0  # files; more images than that take their turns among them. 0 = as many as images
    width: int = 320  # pixels of the pictures as they are stored
    height: int = 256
    validation: float = 0.2  # share of the images of each class (of at least 3), the others are for training
    seed: int = 1

    @property
    def files(self) -> int:
        """Number of different pictures."""
        return min(self.images, self.different or self.images)


def make_dataset(store: Path, kind: Kind) -> Dataset:
    """The dataset of this kind in ``store``, written there if it is not yet."""
    digest = hashlib.sha256(repr(kind).encode()).hexdigest()[:32]
    path = store / f"noise-{digest}"
    if not path.is_dir():
        (path / IMAGES).mkdir(parents=True)
        _write(path, kind)
    return load_dataset(path)


def share_dataset(dataset: Dataset, workspace: Workspace) -> Dataset:
    """The dataset in another workspace, its images shared."""
    target = workspace.datasets / dataset.id
    shutil.copytree(dataset.path, target, copy_function=os.link)
    return load_dataset(target)


def draw_picture(rng: np.random.Generator, label: int, width: int, height: int) -> Pixels:
    """One RGB picture: soft patches of colour, a grating whose angle and pitch tell the class, and grain."""
    coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
    ground = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.float32)
    angle = math.pi * label / CLASSES + rng.normal(0, 0.08)
    pitch = (10 + 3 * (label % 3)) * width / 320
    y, x = np.mgrid[:height, :width]
    wave = np.sin(2 * math.pi * (x * math.cos(angle) + y * math.sin(angle)) / pitch + rng.uniform(0, 6))
    grain = rng.normal(0, 6, (height, width, 1))
    mixed = 0.6 * ground + 50 + 45 * wave[..., None] * rng.uniform(0.3, 1, 3) + grain
    picture: Pixels = np.clip(mixed, 0, 255).astype(np.uint8)
    return picture


def encode(picture: Pixels, format_: str, **options: int) -> bytes:
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format_, **options)
    return buffer.getvalue()


def _write(path: Path, kind: Kind) -> None:
    with ThreadPoolExecutor() as pool:
        files = list(pool.map(lambda number: _store(path, kind, number), range(kind.files)))
    records = tuple(_record(files[index % kind.files], kind, index) for index in range(kind.images))
    classes = tuple(f"grating {label}" for label in range(CLASSES))
    write_manifest(
        Dataset(
            id=path.name,
            name=f"{kind.images} noise pictures",
            path=path,
            classes=classes,
            images=records,
            skipped=(),
            fingerprint=fingerprint_of(classes, records),
            source="made by benchmarks.synthetic",
            created=_CREATED,
            given_splits=True,
        )
    )


def _store(path: Path, kind: Kind, number: int) -> ImageRecord:
    rng = np.random.default_rng([kind.seed, number])
    picture = draw_picture(rng, number % CLASSES, kind.width, kind.height)
    normalised = normalise_image(encode(picture, "PNG", compress_level=1))
    file = f"{IMAGES}/{normalised.pixels_sha256}{normalised.suffix}"
    (path / file).write_bytes(normalised.encoded)
    return ImageRecord(
        file=file,
        label=number % CLASSES,
        split="train",
        width=normalised.width,
        height=normalised.height,
        source_name=f"{number}.png",
        pixels_sha256=normalised.pixels_sha256,
        perceptual_hash=normalised.perceptual_hash,
    )


def _record(file: ImageRecord, kind: Kind, index: int) -> ImageRecord:
    """Image ``index``; one that comes again counts as another image. Each class has its share for validation."""
    place = index // CLASSES
    checks = int((place + 1) * kind.validation + 0.5) > int(place * kind.validation + 0.5)
    digest = hashlib.sha256(f"{file.pixels_sha256} {index}".encode()).hexdigest()
    pixels = file.pixels_sha256 if index < kind.files else digest
    return replace(file, split="validation" if checks else "train", pixels_sha256=pixels)
