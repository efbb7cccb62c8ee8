"""Pictures that were brought and are not a dataset yet: in piles, one per class, or in one pile without a class.

Each is normalised when it comes, so that it can be shown at once and a dataset is made of them in a moment.
``collections/<id>/`` holds ``images/`` as a dataset does, and ``collection.json``. Bringing, removing and making a
dataset may be called from several threads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tl_core.data.dataset import IMAGES, Dataset, ImageRecord, SkippedFile, valid_name
from tl_core.data.imports.building import building, require_room
from tl_core.data.imports.class_names import label_names
from tl_core.data.imports.importing import (
    DEFAULT_SPLIT,
    MAX_STORED_BYTES,
    MIN_CLASSES,
    ImportedRecords,
    make_visible,
    natural_key,
    require_enough,
    store_images,
)
from tl_core.data.imports.layouts import LabelledFile
from tl_core.data.imports.sources import SourceFile
from tl_core.data.split import UNASSIGNED, SplitConfig
from tl_core.errors import DataError, DatasetNotFoundError, NotEnoughDataError, WorkspaceError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.files import locked, read_json, write_json
from tl_core.storage.ownership import claim
from tl_core.storage.quota import require_within_quota
from tl_core.storage.repository import Repository
from tl_core.storage.schemas import COLLECTION
from tl_core.storage.workspace import Workspace, new_id

FILE: Final = "collection.json"
MAX_PICTURES: Final = 10_000  # in one collection
ABANDONED_SECONDS: Final = 7 * 24 * 3600.0  # after which pictures that nobody went on with are removed
KEPT: Final = ".kept"  # a file with this name keeps a collection until somebody deletes it


@dataclass(frozen=True, slots=True)
class CollectedPicture:
    """One picture; its record has no label and no split yet."""

    record: ImageRecord
    pile: str

    @property
    def id(self) -> str:
        """Names it within its collection."""
        return f"{self.pile}-{self.record.pixels_sha256[:24]}"


@dataclass(frozen=True, slots=True)
class PictureCollection:
    """What a collection holds, in the order in which it came."""

    id: str
    path: Path
    name: str
    created: str  # ISO 8601, UTC
    pictures: tuple[CollectedPicture, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()  # files that are no pictures

    def of_pile(self, pile: str) -> tuple[CollectedPicture, ...]:
        """The pictures of one pile."""
        return tuple(picture for picture in self.pictures if picture.pile == pile)

    def path_of(self, record: ImageRecord) -> Path:
        """The file that holds the pixels of ``record``."""
        return self.path / record.file


def new_collection(workspace: Workspace, name: str = "pictures") -> PictureCollection:
    """Begin an empty collection; those that were abandoned are removed.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    _remove_abandoned(workspace)
    path = workspace.collections / new_id(name)
    try:
        (path / IMAGES).mkdir(parents=True)
    except OSError as error:
        raise WorkspaceError(f"The workspace cannot be written ({error.strerror}): free some disk space.") from error
    claim(workspace, path)
    made = PictureCollection(path.name, path, name, datetime.now(UTC).isoformat(timespec="milliseconds"))
    _write(made)
    return made


def bring(
    workspace: Workspace, collection_id: str, pile: str, files: Sequence[SourceFile], task: TaskContext = UNATTENDED
) -> PictureCollection:
    """Add pictures to a pile; one that is in it already is not added again.

    Args:
        files: not yet read. What is no picture is noted among the skipped.
        task: gets the number of files done and their total; checked for a stop between files.

    Raises:
        DatasetNotFoundError: there is no such collection.
        NotYoursError: it is somebody else's.
        DataError: it would have too many pictures.
        WorkspaceError: the workspace has reached its quota, the disk is too full, or cannot be written.
        StoppedError: a stop was requested.
    """
    path = COLLECTIONS.require_mine(workspace, collection_id)
    if (held := len(_read(path).pictures)) + len(files) > MAX_PICTURES:
        raise DataError(
            f"A collection holds at most {MAX_PICTURES:,} pictures, and this one would have {held + len(files):,}: "
            "bring fewer, or make a dataset of what is there."
        )
    room = sum(min(file.size, MAX_STORED_BYTES) for file in files)
    require_within_quota(workspace, room)
    require_room(path, room)
    records, bad = store_images(path, [pile], [LabelledFile(file, pile, None) for file in files], task)

    def added(before: PictureCollection) -> PictureCollection:
        known = {picture.id for picture in before.pictures}
        fresh = {picture.id: picture for record in records if (picture := CollectedPicture(record, pile))}
        new = tuple(picture for name, picture in fresh.items() if name not in known)
        return replace(before, pictures=(*before.pictures, *new), skipped=(*before.skipped, *bad))

    return _change(workspace, collection_id, added)


def discard_pictures(workspace: Workspace, collection_id: str, ids: Collection[str]) -> PictureCollection:
    """Take pictures out; one that is gone already is no error. Raised is what `bring` raises."""

    def without(before: PictureCollection) -> PictureCollection:
        return replace(before, pictures=tuple(picture for picture in before.pictures if picture.id not in ids))

    return _change(workspace, collection_id, without)


def forget_skipped(workspace: Workspace, collection_id: str) -> PictureCollection:
    """Tell no more of the files that were left out."""
    return _change(workspace, collection_id, lambda before: replace(before, skipped=()))


def keep_collection(workspace: Workspace, collection_id: str) -> None:
    """Let it not be removed before somebody deletes it or makes a dataset of it."""
    (COLLECTIONS.require_mine(workspace, collection_id) / KEPT).touch()


def named_pictures(collection: PictureCollection, classes: Mapping[str, str]) -> list[tuple[ImageRecord, str]]:
    """The pictures of the piles whose class is known, and the name of that class.

    Args:
        classes: pile -> name of the class; equal names are one class, an empty one leaves the pile out.
    """
    names = {pile: name.strip() for pile, name in classes.items() if name.strip()}
    labels = label_names(names.values())
    return [(picture.record, labels[names[picture.pile]]) for picture in collection.pictures if picture.pile in names]


def make_dataset(
    workspace: Workspace,
    collection: PictureCollection,
    named: Sequence[tuple[ImageRecord, str]],
    name: str,
    origin: str,
    split: SplitConfig = DEFAULT_SPLIT,
    task: TaskContext = UNATTENDED,
) -> Dataset:
    """Make a dataset of pictures and the names of their classes; the collection is deleted.

    Raises:
        NotEnoughDataError: there are fewer than 2 classes, or fewer than 2 pictures in one.
        DataError: the name is empty or too long.
        WorkspaceError: the workspace cannot be written, has reached its quota, or the disk is too full.
    """
    name = valid_name(name)
    classes = tuple(sorted({label for _, label in named}, key=natural_key))
    if len(classes) < MIN_CLASSES:
        raise NotEnoughDataError(
            f"There is {'only one class' if classes else 'no class'} with pictures: a classifier needs at least "
            f"{MIN_CLASSES}."
        )
    places = {label: place for place, label in enumerate(classes)}
    images = [replace(record, label=places[label], split=UNASSIGNED) for record, label in named]
    require_enough(classes, images, ())
    with building(workspace, 0) as folder:
        for done, record in enumerate(images, start=1):
            take_file(collection.path_of(record), folder / record.file)
            task.report(done, len(images))
        found = ImportedRecords(classes, images, collection.skipped)
        dataset = make_visible(workspace, folder, found, name, origin, split, task)
    COLLECTIONS.delete(workspace, collection.id)
    return dataset


def take_file(source: Path, target: Path) -> None:
    """Have the file at a second place, without copying it where the disk can; a target that is there stays."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:  # a disk without links
        shutil.copyfile(source, target)


def load_collection(path: Path) -> PictureCollection:
    """Read the collection in ``path``.

    Raises:
        DatasetNotFoundError: there is none.
        DataError: its file is damaged.
        NewerVersionError: a newer version of this program wrote it.
    """
    return _read(path)


def _read(path: Path) -> PictureCollection:
    try:
        values = COLLECTION.upgraded(read_json(path / FILE))
        return PictureCollection(
            id=path.name,
            path=path,
            name=str(values["name"]),
            created=str(values["created"]),
            pictures=tuple(
                CollectedPicture(ImageRecord(**entry["record"]), str(entry["pile"])) for entry in values["pictures"]
            ),
            skipped=tuple(SkippedFile(**entry) for entry in values["skipped"]),
        )
    except FileNotFoundError as error:
        raise _missing() from error
    except (KeyError, TypeError, ValueError, AttributeError, WorkspaceError) as error:
        raise DataError(f"The pictures collected in “{path.name}” are damaged: bring them again.") from error


def _write(collection: PictureCollection) -> None:
    values: dict[str, Any] = {
        "name": collection.name,
        "created": collection.created,
        "pictures": [asdict(picture) for picture in collection.pictures],
        "skipped": [asdict(skipped) for skipped in collection.skipped],
    }
    write_json(collection.path / FILE, COLLECTION.stamped(values))


def _change(
    workspace: Workspace, collection_id: str, change: Callable[[PictureCollection], PictureCollection]
) -> PictureCollection:
    path = COLLECTIONS.require_mine(workspace, collection_id)
    with _held(path):
        before = _read(path)
        after = change(before)
        if after != before:
            _write(after)
    return after


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    try:
        with locked(path):
            yield
    except FileNotFoundError as error:
        raise _missing() from error


def _remove_abandoned(workspace: Workspace) -> None:
    for path in workspace.collections.glob("*"):
        with contextlib.suppress(OSError):  # another request may be removing it
            written = (path / FILE).stat().st_mtime
            if time.time() - written > ABANDONED_SECONDS and not (path / KEPT).exists():
                shutil.rmtree(path, ignore_errors=True)


def _missing() -> DatasetNotFoundError:
    return DatasetNotFoundError("These pictures are not here any more: bring them again on the Data page.")


COLLECTIONS: Final = Repository(
    "collection",
    lambda workspace: workspace.collections,
    load_collection,
    _missing,
    lambda collection: (collection.created, collection.id),
)
