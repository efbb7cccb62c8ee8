"""A dataset on the disk: one folder with ``manifest.json`` and the normalised images under ``images/``.

The manifest is the truth; an image file that it does not name is not part of the dataset. A `Dataset` in
memory is immutable: renaming and editing return a new one.

What the images are is a chain of revisions. The manifest holds the one that counts now, and the list of all;
``revisions/<number>.json`` holds what each other one was, so that a run finds the images it was trained on.
A dataset that was never changed has one revision and no such folder, as all had that were written before.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tl_core.data.imports.class_names import clean_text
from tl_core.errors import DataError, DatasetNotFoundError, WorkspaceError
from tl_core.storage.files import locked, read_json, write_json
from tl_core.storage.repository import Repository
from tl_core.storage.schemas import DATASET
from tl_core.storage.workspace import Workspace

SPLITS: Final = ("train", "validation", "test")
MANIFEST: Final = "manifest.json"
IMAGES: Final = "images"
REVISIONS: Final = "revisions"
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
    group: str = ""  # the recording it is a frame of, whose frames are not divided; "" = it stands alone
    twins: str = ""  # names the images of its class that show the same (`tl_core.data.twins`); "" = none is known
    darkest: int | None = None  # grey levels, 0-255, a thousandth of the pixels aside; None where the image was
    brightest: int | None = None  # imported before they were measured


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that an import left out."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of a dataset: what was done, when, and by whom."""

    number: int  # from 1, in the order they were made
    parent: int | None  # the revision it was made from; None for the first
    what: str  # for people: "Moved 3 images to brick"
    when: str  # ISO 8601, UTC
    by: str | None = None  # `tl_core.storage.ownership.person_id`; None where nobody logs in


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
    revision: int = 1  # which of ``revisions`` this is
    revisions: tuple[Revision, ...] = ()  # all, by number
    decoding: int = 1  # how its files were decoded: `tl_core.data.decoding.DECODING`

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


def load_dataset(path: Path, revision: int | None = None) -> Dataset:
    """Read the dataset in ``path``. Reading an unchanged one again costs next to nothing.

    Args:
        revision: which one; the one that counts now where it is None.

    Raises:
        DatasetNotFoundError: there is no dataset.
        NewerVersionError: a newer version of this program wrote it.
        DataError: its manifest is damaged, or it has no such revision.
    """
    try:
        stamp = (path / MANIFEST).stat()
    except OSError as error:
        raise not_found(path) from error
    newest = _read(path, stamp.st_mtime_ns, stamp.st_ino)
    if revision is None or revision == newest.revision:
        return newest
    return _read_revision(newest, revision)


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
        raise not_found(path) from error
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
                "decoding": dataset.decoding,
                "revision": dataset.revision,
                "revisions": [asdict(revision) for revision in dataset.revisions],
                **_content(dataset),
            }
        ),
    )


def write_revision(dataset: Dataset) -> None:
    """Write what this revision is beside the manifest, unless that was done before."""
    path = dataset.path / REVISIONS / f"{dataset.revision}.json"
    if not path.is_file():
        write_json(path, DATASET.stamped(_content(dataset)))


def _content(dataset: Dataset) -> dict[str, Any]:
    """What differs between revisions."""
    return {
        "given_splits": dataset.given_splits,
        "fingerprint": dataset.fingerprint,
        "classes": list(dataset.classes),
        "skipped": [asdict(skipped) for skipped in dataset.skipped],
        "images": [asdict(record) for record in dataset.images],
    }


def not_found(path: Path) -> DatasetNotFoundError:
    """What is raised where a folder holds no dataset (any more)."""
    name = path.name.rpartition("-")[0] or path.name  # without the digits of its id
    return DatasetNotFoundError(
        f"There is no dataset “{name}”: it may have been deleted. Choose another one on the Data page."
    )


def _damaged(path: Path) -> DataError:
    return DataError(f"The dataset “{path.name}” is damaged and cannot be read: import it again.")


_UNSOUND: Final = (KeyError, TypeError, ValueError, AttributeError, WorkspaceError)


@functools.lru_cache(maxsize=64)
def _read(path: Path, _modified: int, _inode: int) -> Dataset:
    """Read a manifest; the last two arguments make a changed file another key of the cache."""
    try:
        values = DATASET.upgraded(read_json(path / MANIFEST))
        created = str(values["created"])
        first = {"number": 1, "parent": None, "what": f"Imported from {values['source']}", "when": created}
        return Dataset(
            id=path.name,
            name=str(values["name"]),
            path=path,
            source=str(values["source"]),
            created=created,
            decoding=int(values.get("decoding", 1)),
            revision=int(values.get("revision", 1)),
            revisions=tuple(Revision(**entry) for entry in values.get("revisions") or [first]),
            **_read_content(values),
        )
    except _UNSOUND as error:
        raise _damaged(path) from error


@functools.lru_cache(maxsize=64)
def _read_revision(newest: Dataset, number: int) -> Dataset:
    """Another revision of a dataset; its file is never changed."""
    try:
        values = DATASET.upgraded(read_json(newest.path / REVISIONS / f"{number}.json"))
        return replace(newest, revision=number, **_read_content(values))
    except FileNotFoundError as error:
        raise DataError(
            f"The dataset “{newest.name}” has no revision {number}: its revisions are "
            f"{', '.join(str(revision.number) for revision in newest.revisions)}."
        ) from error
    except _UNSOUND as error:
        raise _damaged(newest.path) from error


def _read_content(values: Mapping[str, Any]) -> dict[str, Any]:
    classes = tuple(str(name) for name in values["classes"])
    images = tuple(ImageRecord(**record) for record in values["images"])
    for record in images:  # which names a class, a split, and a file in the dataset's own folder
        if not _FILE.fullmatch(record.file) or record.split not in SPLITS or not 0 <= record.label < len(classes):
            raise ValueError(f"unsound image record: {record}")
    return {
        "given_splits": bool(values["given_splits"]),
        "fingerprint": str(values["fingerprint"]),
        "classes": classes,
        "skipped": tuple(SkippedFile(**skipped) for skipped in values["skipped"]),
        "images": images,
    }


_NOT_HERE: Final = (
    "There is no dataset of this id; choose one on the Data page, or from `python -m tl_core datasets` in a terminal."
)
DATASETS: Final = Repository(
    "dataset",
    lambda workspace: workspace.datasets,
    load_dataset,
    lambda: DatasetNotFoundError(_NOT_HERE),
    lambda dataset: (dataset.created, dataset.id),
)
find_dataset = DATASETS.find  # raises DatasetNotFoundError where there is none, DataError where it is damaged
list_datasets = DATASETS.list_all
delete_dataset = DATASETS.delete  # and its images; runs that were trained on it stay
