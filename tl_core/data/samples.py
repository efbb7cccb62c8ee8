"""Sample sets to begin with: two that are built in, and two that are downloaded when asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tl_core.data import sample_digits, sample_surfaces
from tl_core.data.dataset import Dataset
from tl_core.data.imports.archive import ArchiveLimits, zip_source
from tl_core.data.imports.download import Download, fetch
from tl_core.data.imports.importing import DEFAULT_SPLIT, import_layout
from tl_core.data.imports.layouts import Layout, understand_layout
from tl_core.data.imports.tar import tar_source
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


_DIGITS = Sample(
    name="digits",
    title=sample_digits.TITLE,
    description=sample_digits.DESCRIPTION,
    license=sample_digits.LICENSE,
    classes=10,
    images=1797,
    layout=sample_digits.layout,
)
_SURFACES = Sample(
    name="surfaces",
    title=sample_surfaces.TITLE,
    description=sample_surfaces.DESCRIPTION,
    license=sample_surfaces.LICENSE,
    classes=3,
    images=336,
    layout=sample_surfaces.layout,
)
_FLOWERS = Sample(
    name="flowers",
    title="Flowers",
    description="3,670 photographs of daisies, dandelions, roses, sunflowers and tulips, of many sizes.",
    license="Creative Commons Attribution; photographers in the archive's LICENSE.txt (The TensorFlow Team, 2019)",
    classes=5,
    images=3670,
    # Size and checksum as TensorFlow Datasets publishes them in url_checksums/tf_flowers.txt.
    download=Download(
        url="https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
        size=228_813_984,
        sha256="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
    ),
)
_CATS_VS_DOGS = Sample(
    name="cats_vs_dogs",
    title="Cats and dogs",
    description="2,000 photographs of cats and dogs for training, 1,000 for validation, as in TensorFlow lessons.",
    license="A part of Kaggle's “Dogs vs. Cats” (Microsoft Research, Asirra); no open licence: for learning only",
    classes=2,
    images=3000,
    # The size is the one that the TensorFlow lessons report; no checksum is published.
    download=Download(
        url="https://storage.googleapis.com/mledu-datasets/cats_and_dogs_filtered.zip", size=68_606_236
    ),
    split=SplitConfig(test=0.0),  # 2,000 and 1,000, as everybody who compares results has them
)

SAMPLES: Final[Mapping[str, Sample]] = MappingProxyType(
    {sample.name: sample for sample in (_DIGITS, _SURFACES, _FLOWERS, _CATS_VS_DOGS)}
)


def get_sample(name: str) -> Sample:
    """The sample of that name.

    Raises:
        DataError: there is none.
    """
    if name not in SAMPLES:
        raise DataError(f"There is no sample set “{name}”: choose one of {', '.join(SAMPLES)}.")
    return SAMPLES[name]


def import_sample(workspace: Workspace, name: str, task: TaskContext = UNATTENDED) -> Dataset:
    """Import a sample set.

    Args:
        workspace: where the dataset is made.
        name: a key of `SAMPLES`.
        task: told the number of images done and their total, while downloading (`DOWNLOADING`) the bytes; asked
            between images and between blocks of a download.

    Raises:
        DataError: the name is unknown, or the download failed.
        WorkspaceError: the workspace cannot be written or the disk is too full.
        StoppedError: the task was asked to stop.
    """
    return import_sample_set(workspace, get_sample(name), task)


def import_sample_set(workspace: Workspace, sample: Sample, task: TaskContext = UNATTENDED) -> Dataset:
    """Import a sample set from its record; see `import_sample`."""
    with _layout(workspace, sample, task) as layout:
        return import_layout(workspace, layout, sample.title, f"sample {sample.name}", sample.split, task)


@contextlib.contextmanager
def _layout(workspace: Workspace, sample: Sample, task: TaskContext) -> Iterator[Layout]:
    if sample.layout is not None:
        yield sample.layout()
    elif sample.download is not None:
        with _downloaded(workspace, sample.download, task) as layout:
            yield layout


@contextlib.contextmanager
def _downloaded(workspace: Workspace, download: Download, task: TaskContext) -> Iterator[Layout]:
    """The pictures of a downloaded sample; the archive is removed once they are imported."""
    workspace.ensure()
    folder = workspace.cache / "downloads"
    try:
        archive = fetch(download, folder, task)
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
