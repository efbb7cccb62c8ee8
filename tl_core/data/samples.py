"""Sample datasets: two that are built in, and two that are downloaded on request.

The patches of *surfaces* for training, validation and testing come from different parts of each photograph, which
share no pixel: a model that only remembers the photograph fails on the test.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from tl_core.data.dataset import Dataset
from tl_core.data.imports.archive import ArchiveLimits, tar_source, zip_source
from tl_core.data.imports.download import Download, fetch
from tl_core.data.imports.importing import DEFAULT_SPLIT, import_layout
from tl_core.data.imports.layouts import LabelledFile, Layout, understand_layout
from tl_core.data.imports.sources import SourceFile
from tl_core.data.split import SplitConfig
from tl_core.errors import DataError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.workspace import Workspace

DOWNLOAD_LIMITS: Final = ArchiveLimits(file_bytes=300_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample set; it has either a ``layout`` or a ``download``."""

    name: str
    title: str
    description: str
    license: str
    classes: int
    images: int
    layout: Callable[[], Layout] | None = None  # finds the pictures of a built-in sample
    download: Download | None = None  # an archive of class folders
    split: SplitConfig = DEFAULT_SPLIT  # for the parts of the split that do not come with the sample

    @property
    def download_mb(self) -> float:
        """Megabytes to download; 0 for a built-in sample."""
        return self.download.size / 1e6 if self.download else 0.0


Grey = npt.NDArray[np.uint8]

DIGIT_SIZE: Final = 64  # pixels; the scans have 8 x 8
_INK: Final = 16  # the value of a pixel that is all ink

PATCH: Final = 96  # pixels, width and height
PHOTOGRAPH: Final = 512  # pixels, width and height
ROWS: Final = MappingProxyType({"train": (0, 256), "validation": (256, 384), "test": (384, 512)})  # [first, end)
GRID: Final = MappingProxyType({"train": (6, 12), "validation": (2, 10), "test": (2, 10)})  # patches down and across


def _digits() -> Layout:
    """All digits as black ink on white paper; the split is drawn by class with the seed of the import."""
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    files = [
        _labelled((str(target), f"digit-{number:04d}.png"), str(target), None, partial(_digit, scan))
        for number, (scan, target) in enumerate(zip(digits.images, digits.target, strict=True))
    ]
    return Layout(tuple(files), (), given_splits=False)


def _digit(scan: npt.NDArray[np.float64]) -> Image.Image:
    """One scan, values 0 (paper) to 16 (ink), enlarged smoothly to 64 x 64 pixels."""
    grey = np.rint(255 * (1 - scan / _INK)).astype(np.uint8)
    return Image.fromarray(grey).resize((DIGIT_SIZE, DIGIT_SIZE), Image.Resampling.BICUBIC)


def _surfaces() -> Layout:
    """All patches with their splits."""
    from skimage import data

    files = [
        _labelled(
            (split, name, f"{name}-{top:03d}-{left:03d}.png"),
            name,
            split,
            partial(Image.fromarray, photograph[top : top + PATCH, left : left + PATCH]),
        )
        for name in ("brick", "grass", "gravel")
        for photograph in [cast(Grey, getattr(data, name)())]
        for split in ROWS
        for top, left in patch_corners(split)
    ]
    return Layout(tuple(files), (), given_splits=True)


def patch_corners(split: str) -> list[tuple[int, int]]:
    """Upper left corners ``(row, column)`` of the surface patches of a split, evenly spread over its part."""
    first, end = ROWS[split]
    down, across = GRID[split]
    rows = np.linspace(first, end - PATCH, down).astype(int)
    columns = np.linspace(0, PHOTOGRAPH - PATCH, across).astype(int)
    return [(int(row), int(column)) for row in rows for column in columns]


def _labelled(parts: tuple[str, ...], name: str, split: str | None, draw: Callable[[], Image.Image]) -> LabelledFile:
    def read() -> bytes:
        buffer = io.BytesIO()
        draw().save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()

    return LabelledFile(SourceFile(parts, 0, read), name, split)


_SAMPLES: Final = (
    Sample(
        name="digits",
        title="Handwritten digits",
        description=(
            "1,797 scans of the digits 0 to 9, written by 13 people. Tiny, so training takes a minute; "
            "shown as black ink on white paper."
        ),
        license=(
            "Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, UCI, 1998), CC BY 4.0; "
            "from scikit-learn"
        ),
        classes=10,
        images=1797,
        layout=_digits,
    ),
    Sample(
        name="surfaces",
        title="Surfaces",
        description=(
            "Brick, grass or gravel? Patches of 96 x 96 pixels from three photographs, 112 of each; those for "
            "training, validation and testing come from different parts of the photograph."
        ),
        license="CC0 photographs (CC0Textures: Bricks25, Gravel04; linolafett: Grass 01), as shipped in scikit-image",
        classes=3,
        images=336,
        layout=_surfaces,
    ),
    Sample(
        name="flowers",
        title="Flowers",
        description="3,670 photographs of daisies, dandelions, roses, sunflowers and tulips, of many sizes.",
        license=(
            "Creative Commons Attribution; photographers in the archive's LICENSE.txt (The TensorFlow Team, 2019)"
        ),
        classes=5,
        images=3670,
        # Size and checksum as TensorFlow Datasets publishes them in url_checksums/tf_flowers.txt.
        download=Download(
            url="https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
            size=228_813_984,
            sha256="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
        ),
    ),
    Sample(
        name="cats_vs_dogs",
        title="Cats and dogs",
        description=(
            "2,000 photographs of cats and dogs for training, 1,000 for validation, as in TensorFlow lessons."
        ),
        license="A part of Kaggle's “Dogs vs. Cats” (Microsoft Research, Asirra); no open licence: for learning only",
        classes=2,
        images=3000,
        # The size is the one that the TensorFlow lessons report; no checksum is published.
        download=Download(
            url="https://storage.googleapis.com/mledu-datasets/cats_and_dogs_filtered.zip", size=68_606_236
        ),
        split=SplitConfig(test=0.0),  # 2,000 and 1,000, as everybody who compares results has them
    ),
)
SAMPLES: Final[Mapping[str, Sample]] = MappingProxyType({sample.name: sample for sample in _SAMPLES})


def get_sample(name: str) -> Sample:
    """The sample of that name.

    Raises:
        DataError: there is none.
    """
    if name not in SAMPLES:
        raise DataError(f"There is no sample set “{name}”: choose one of {', '.join(SAMPLES)}.")
    return SAMPLES[name]


def import_sample(workspace: Workspace, sample: str | Sample, task: TaskContext = UNATTENDED) -> Dataset:
    """Import a sample dataset.

    Args:
        workspace: where the dataset is created.
        sample: a key of `SAMPLES`, or a record.
        task: gets the number of images done and their total, while downloading (`DOWNLOADING`) the bytes; asked
            between images and between blocks of a download.

    Raises:
        DataError: the name is unknown, or the download failed.
        WorkspaceError: the workspace cannot be written or the disk is too full.
        StoppedError: a stop was requested.
    """
    sample = get_sample(sample) if isinstance(sample, str) else sample
    downloaded = 0.7 if sample.download else 0.0  # of the work
    with _open_layout(workspace, sample, task.part(0.0, downloaded)) as layout:
        stored = task.part(downloaded, 1.0)
        return import_layout(workspace, layout, sample.title, f"sample {sample.name}", sample.split, stored)


@contextlib.contextmanager
def _open_layout(workspace: Workspace, sample: Sample, task: TaskContext) -> Iterator[Layout]:
    """The images of a sample; a downloaded archive is removed once they are imported."""
    if sample.download is None:
        assert sample.layout is not None  # noqa: S101  # one of the two is given
        yield sample.layout()
        return
    folder = workspace.ensure().cache / "downloads"
    try:
        archive = fetch(sample.download, folder, task)
    except DataError as error:
        built_in = " or ".join(f"“{other.title}”" for other in SAMPLES.values() if other.download is None)
        raise DataError(f"{str(error).removesuffix('.')}, or choose {built_in}, which are built in.") from error
    opened = (
        zip_source(archive, DOWNLOAD_LIMITS)
        if archive.suffix == ".zip"
        else tar_source(archive, folder, DOWNLOAD_LIMITS, task)
    )
    try:
        with opened as source:
            yield understand_layout(source.files)
    finally:
        archive.unlink(missing_ok=True)
