"""A dataset on the disk: one folder with ``manifest.json`` and the normalised images under ``images/``.

The manifest is the truth; an image file that it does not name is not part of the dataset. A `Dataset` in
memory is immutable: renaming returns a new one.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from tl_core.data.imports.class_names import clean_text
from tl_core.errors import DataError, DatasetNotFoundError, WorkspaceError
from tl_core.storage.files import locked, read_json, write_json
from tl_core.storage.repository import Repository
from tl_core.storage.schemas import DATASET
from tl_core.storage.workspace import Workspace

SPLITS: Final = ("train", "validation", "test")
MANIFEST: Final = "manifest.json"
IMAGES: Final = "images"
MAX_DATASET_NAME: Final = 100  # characters

_FILE = re.compile(rf"{IMAGES}/[0-9a-f]{{64}}\.(png|jpg)")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a dataset."""

    file: str  # relative to the dataset's folder: "images/<sha256 of the pixels>.png" or ".jpg"
    label: int  # index into `Dataset.classes`
    split: str  # one of `SPLITS`
    width: int  # pixels of the stored image
    height: int  # pixels of the stored image
    source_name: str  # original file name: shown on pages, never used as a path
    pixels_sha256: str
    perceptual_hash: str = ""  # see `tl_core.data.similarity`; "" in datasets that were not imported


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that an import left out."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images with labels and splits, as the manifest in ``path`` describes them."""

    id: str
    name: str
    path: Path
    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    skipped: tuple[SkippedFile, ...]
    fingerprint: str  # see `fingerprint_of`: equal for equal classes, pixels, labels and splits
    source: str  # its origin as text: "zip pets.zip", "sample digits"
    created: str  # ISO 8601, UTC
    given_splits: bool  # whether the split came with the images, and was not drawn here

    @property
    def workspace(self) -> Workspace:
        """The workspace of the dataset, without a person."""
        return Workspace(self.path.parent.parent)

    def of_split(self, split: str) -> tuple[ImageRecord, ...]:
        """The images of ``train``, ``validation`` or ``test``, in the order of the manifest."""
        return tuple(record for record in self.images if record.split == split)

    def path_of(self, record: ImageRecord) -> Path:
        """The file that holds the pixels of ``record``."""
        return self.path / record.file

    def counts(self) -> dict[str, dict[str, int]]:
        """The number of images by class and split: ``{"cat": {"train": 70, "validation": 15, "test": 15}}``."""
        table = {name: dict.fromkeys(SPLITS, 0) for name in self.classes}
        for record in self.images:
            table[self.classes[record.label]][record.split] += 1
        return table


def fingerprint_of(classes: Iterable[str], images: Iterable[ImageRecord]) -> str:
    """Sha256 over the class names and, in any order, each image's pixels, label and split."""
    digest = hashlib.sha256("\0".join(classes).encode())
    for line in sorted(f"{image.pixels_sha256} {image.label} {image.split}" for image in images):
        digest.update(b"\n" + line.encode())
    return digest.hexdigest()


def load_dataset(path: Path) -> Dataset:
    """Read the dataset in ``path``. Reading an unchanged one again costs next to nothing.

    Raises:
        DatasetNotFoundError: there is no dataset.
        NewerVersionError: a newer version of this program wrote it.
        DataError: its manifest is damaged.
    """
    try:
        stamp = (path / MANIFEST).stat()
    except OSError as error:
        raise _not_found(path) from error
    return _read(path, stamp.st_mtime_ns, stamp.st_ino)


def rename_dataset(workspace: Workspace, dataset_id: str, name: str) -> Dataset:
    """Rename the dataset; its id, folder and fingerprint stay.

    Raises:
        DatasetNotFoundError: there is none.
        NotYoursError: it is somebody else's.
        DataError: the name is empty or too long.
        WorkspaceError: the manifest cannot be written.
    """
    path = DATASETS.require_mine(workspace, dataset_id)
    try:
        with locked(path):
            renamed = replace(load_dataset(path), name=valid_name(name))
            write_manifest(renamed)
    except FileNotFoundError as error:
        raise _not_found(path) from error
    return renamed


def valid_name(name: str) -> str:
    """The name as it is stored.

    Raises:
        DataError: it is empty or longer than 100 characters.
    """
    cleaned = clean_text(name)
    if not cleaned or len(cleaned) > MAX_DATASET_NAME:
        raise DataError(
            f"A dataset needs a name of 1 to {MAX_DATASET_NAME} characters. Received: {len(cleaned)} characters."
        )
    return cleaned


def write_manifest(dataset: Dataset) -> None:
    """Write ``manifest.json`` of the dataset, in one step."""
    write_json(
        dataset.path / MANIFEST,
        DATASET.stamped(
            {
                "name": dataset.name,
                "source": dataset.source,
                "created": dataset.created,
                "given_splits": dataset.given_splits,
                "fingerprint": dataset.fingerprint,
                "classes": list(dataset.classes),
                "skipped": [asdict(skipped) for skipped in dataset.skipped],
                "images": [asdict(record) for record in dataset.images],
            }
        ),
    )


def _not_found(path: Path) -> DatasetNotFoundError:
    return DatasetNotFoundError(
        f"There is no dataset “{path.name}”: it may have been deleted. Choose another one on the Data page."
    )


@functools.lru_cache(maxsize=64)
def _read(path: Path, _modified: int, _inode: int) -> Dataset:
    """Read a manifest; the last two arguments make a changed file another key of the cache."""
    try:
        values = DATASET.upgraded(read_json(path / MANIFEST))
        classes = tuple(str(name) for name in values["classes"])
        images = tuple(ImageRecord(**record) for record in values["images"])
        for record in images:  # which names a class, a split, and a file in the dataset's own folder
            if not _FILE.fullmatch(record.file) or record.split not in SPLITS or not 0 <= record.label < len(classes):
                raise ValueError(f"unsound image record: {record}")
        return Dataset(
            id=path.name,
            name=str(values["name"]),
            path=path,
            classes=classes,
            images=images,
            skipped=tuple(SkippedFile(**skipped) for skipped in values["skipped"]),
            fingerprint=str(values["fingerprint"]),
            source=str(values["source"]),
            created=str(values["created"]),
            given_splits=bool(values["given_splits"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, WorkspaceError) as error:
        raise DataError(f"The dataset “{path.name}” is damaged and cannot be read: import it again.") from error


DATASETS: Final = Repository(
    "dataset",
    lambda workspace: workspace.datasets,
    load_dataset,
    lambda: DatasetNotFoundError("There is no dataset of this id; choose one on the Data page."),
    lambda dataset: (dataset.created, dataset.id),
)
find_dataset = DATASETS.find  # raises DatasetNotFoundError where there is none, DataError where it is damaged
list_datasets = DATASETS.list_all
delete_dataset = DATASETS.delete  # and its images; runs that were trained on it stay
