"""Changing the images of a dataset: moving, removing and adding them; its classes; its split.

Each function makes one revision (`tl_core.data.revisions`). Images are named by their records; a record that the
dataset no longer has, because somebody else was faster, refuses the change.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tl_core.data.collecting import COLLECTIONS, PictureCollection, take_file
from tl_core.data.dataset import DATASETS, SPLITS, Dataset, ImageRecord, SkippedFile, load_dataset
from tl_core.data.health import pictures_on_both_sides
from tl_core.data.imports.building import STOPPED, require_room
from tl_core.data.imports.class_names import chosen_class_name
from tl_core.data.imports.importing import (
    MAX_STORED_BYTES,
    Uploads,
    natural_key,
    store_images,
    uploaded_files,
)
from tl_core.data.imports.layouts import LabelledFile
from tl_core.data.revisions import change_dataset
from tl_core.data.split import UNASSIGNED, SplitConfig, assign_splits, with_their_like
from tl_core.data.twins import name_twins
from tl_core.errors import DataError, ImageError, NotEnoughDataError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.format import count
from tl_core.storage.quota import require_within_quota
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

MIN_CLASSES: Final = 2
MOST_COMPARISONS: Final = 100_000  # of two pictures while somebody waits for a change: about 3 s

Named = tuple[ImageRecord, str]
"""An image and the name of its class."""


def move_images(
    workspace: Workspace,
    dataset_id: str,
    images: Collection[ImageRecord],
    *,
    to_class: str | None = None,
    to_split: str | None = None,
) -> Dataset:
    """Move images to another class, which may be a new one, to another split, or to both.

    Raises:
        DataError: an image is not there any more, the split is unknown, the name of the class is empty, or fewer
            than 2 classes would be left.
        NotEnoughDataError: a class would have no image to train on, or none would be left to validate with.
    """
    if to_split is not None and to_split not in SPLITS:
        raise DataError(f"There is no split “{to_split}”: name one of {', '.join(SPLITS)}.")
    target = chosen_class_name(to_class) if to_class is not None else None
    where = " and ".join(filter(None, (target, to_split)))

    def moved(dataset: Dataset) -> tuple[Dataset, str]:
        chosen = _present(dataset, images)
        named = [
            (replace(record, split=to_split or record.split), target or name) if record in chosen else (record, name)
            for record, name in _named(dataset)
        ]
        if target is not None:
            named = _compared(dataset, named, {record.pixels_sha256 for record in chosen})
        return _with_images(dataset, named), f"Moved {count(len(chosen), 'image')} to {where}"

    return change_dataset(workspace, dataset_id, moved)


def remove_images(workspace: Workspace, dataset_id: str, images: Collection[ImageRecord]) -> Dataset:
    """Take images out; earlier revisions keep them. Raised is what `move_images` raises."""

    def removed(dataset: Dataset) -> tuple[Dataset, str]:
        chosen = _present(dataset, images)
        named = [(record, name) for record, name in _named(dataset) if record not in chosen]
        return _with_images(dataset, named), f"Removed {count(len(chosen), 'image')}"

    return change_dataset(workspace, dataset_id, removed)


def add_images(
    workspace: Workspace,
    dataset_id: str,
    uploads: Uploads,
    *,
    split: str | None = None,
    task: TaskContext = UNATTENDED,
) -> tuple[Dataset, tuple[SkippedFile, ...]]:
    """Add images to classes, which may be new ones: class name -> pairs of file name and content.

    Args, what is returned and what is raised: as `add_files`.
    """
    return add_files(workspace, dataset_id, uploaded_files(uploads), split=split, task=task)


def add_files(
    workspace: Workspace,
    dataset_id: str,
    files: Sequence[LabelledFile],
    *,
    split: str | None = None,
    task: TaskContext = UNATTENDED,
) -> tuple[Dataset, tuple[SkippedFile, ...]]:
    """Add images to classes, which may be new ones; one after the other is in memory.

    Args:
        files: their class names are used as they are.
        split: where they go; where it is None some of each new class are drawn for validation and test, as an import
            does, and all others are for training, but for those that look like one that is held out: they join it.
        task: gets the number of pictures done and their total; checked for a stop between pictures.

    Returns:
        The dataset, and the files that are no images; a picture that is in its class already is among them.

    Raises:
        DataError: no file can be used.
        NotEnoughDataError: a class would have no image to train on.
        WorkspaceError: the workspace cannot be written, has reached its quota, or the disk is too full.
        StoppedError: a stop was requested.
    """
    if not files:
        raise DataError("There are no files to add: name at least one image, or a folder with images in it.")
    path = DATASETS.require_mine(workspace, dataset_id)
    decoding = load_dataset(path).decoding
    room = sum(min(file.file.size, MAX_STORED_BYTES) for file in files)
    require_within_quota(workspace, room)
    require_room(path, room)
    names = sorted({file.class_name for file in files})
    stored, bad = store_images(path, names, files, task, decoding)
    task.stop_if_asked(STOPPED)
    named = [(record, names[record.label]) for record in stored]
    return _add_stored(workspace, dataset_id, named, split, bad, task)


def add_collected(
    workspace: Workspace,
    dataset_id: str,
    collection: PictureCollection,
    label: str,
    *,
    split: str | None = None,
) -> tuple[Dataset, tuple[SkippedFile, ...]]:
    """Add all pictures of a collection to a class, which may be a new one; the collection is deleted.

    Args, what is returned and what is raised: as `add_images`.
    """
    path = DATASETS.require_mine(workspace, dataset_id)
    load_dataset(path)
    require_within_quota(workspace)
    name = chosen_class_name(label)
    for picture in collection.pictures:
        take_file(collection.path_of(picture.record), path / picture.record.file)
    named = [(picture.record, name) for picture in collection.pictures]
    added = _add_stored(workspace, dataset_id, named, split, collection.skipped)
    COLLECTIONS.delete(workspace, collection.id)
    return added


def _add_stored(
    workspace: Workspace,
    dataset_id: str,
    stored: Sequence[Named],
    split: str | None,
    bad: Sequence[SkippedFile],
    task: TaskContext = UNATTENDED,
) -> tuple[Dataset, tuple[SkippedFile, ...]]:
    """Add images whose files are in the folder of the dataset; ``bad`` are the files that are no images."""
    again: list[SkippedFile] = []
    present = load_dataset(DATASETS.require_mine(workspace, dataset_id))
    new = {record.pixels_sha256 for record, _ in stored}
    twins = _twins_of(present, [*_named(present), *stored], new, task)

    def added(dataset: Dataset) -> tuple[Dataset, str]:
        there = _told(_named(dataset), twins)
        known = {(record.pixels_sha256, name) for record, name in there}
        again[:] = [
            SkippedFile(record.source_name, f"The same image is in the class {name} already.")
            for record, name in stored
            if (record.pixels_sha256, name) in known
        ]
        fresh = [(record, name) for record, name in stored if (record.pixels_sha256, name) not in known]
        if not fresh:
            reason = [*bad, *again][0].reason
            raise DataError(f"None of the {count(len(stored) + len(bad), 'file')} was added: {reason}")
        placed = _placed(_told(fresh, twins), split, there)
        what = f"Added {count(len(fresh), 'image')} to {', '.join(sorted({name for _, name in fresh}))}"
        joined = sum(record.split != "train" and name in dataset.classes for record, name in placed)
        if split is None and joined:
            what += f", {joined:,} of them held out, as pictures are that look alike"
        return _with_images(dataset, [*there, *placed]), what

    dataset = change_dataset(workspace, dataset_id, added)
    return dataset, (*bad, *again)


def rename_class(workspace: Workspace, dataset_id: str, old: str, new: str) -> Dataset:
    """Rename a class; with the name of another one the two become one.

    Raises:
        DataError: there is no such class, the new name is empty, or fewer than 2 would be left.
    """
    return merge_classes(workspace, dataset_id, [old], new)


def merge_classes(workspace: Workspace, dataset_id: str, old: Collection[str], new: str) -> Dataset:
    """Make one class of several. Raised is what `rename_class` raises."""
    name = chosen_class_name(new)

    def merged(dataset: Dataset) -> tuple[Dataset, str]:
        _require_classes(dataset, old)
        named = [(record, name if found in old else found) for record, found in _named(dataset)]
        joined = len({*old} | ({name} & set(dataset.classes))) > 1
        if joined:
            sizes = Counter(found for _, found in _named(dataset) if found in old or found == name)
            largest = max(sizes, key=sizes.__getitem__)
            fresh = {record.pixels_sha256 for record, found in _named(dataset) if found in sizes and found != largest}
            named = _compared(dataset, named, fresh)
        shown = ", ".join(sorted(set(old) - {name}))
        what = f"Merged {shown} into {name}" if joined else f"Renamed {shown} to {name}"
        return _with_images(dataset, named), what

    return change_dataset(workspace, dataset_id, merged)


def delete_class(workspace: Workspace, dataset_id: str, name: str) -> Dataset:
    """Take a class and its images out; earlier revisions keep them. Raised is what `rename_class` raises."""

    def deleted(dataset: Dataset) -> tuple[Dataset, str]:
        _require_classes(dataset, [name])
        named = [(record, found) for record, found in _named(dataset) if found != name]
        return _with_images(dataset, named), f"Deleted the class {name}"

    return change_dataset(workspace, dataset_id, deleted)


def divide_again(
    workspace: Workspace,
    dataset_id: str,
    split: SplitConfig | None = None,
    alike: Collection[tuple[ImageRecord, ImageRecord]] = (),
) -> Dataset:
    """Draw the split anew, look-alikes of one class on one side, those searched for once more in a small dataset.

    Args:
        alike: pairs that are look-alikes besides those that their hashes tell, such as an audit finds.

    Raises:
        NotEnoughDataError: no image is left to validate with.
    """

    def divided(dataset: Dataset) -> tuple[Dataset, str]:
        named = _named(dataset)
        named = _compared(dataset, named, {record.pixels_sha256 for record, _ in named})
        free = [replace(image, split=UNASSIGNED) for image, _ in named]
        places = {image.pixels_sha256: place for place, image in enumerate(dataset.images)}
        known = ((places.get(one.pixels_sha256), places.get(other.pixels_sha256)) for one, other in alike)
        pairs = [(one, other) for one, other in known if one is not None and other is not None]
        images = assign_splits(dataset.classes, free, split or SplitConfig(), pairs)
        return replace(dataset, images=tuple(images), given_splits=False), "Split again"

    return change_dataset(workspace, dataset_id, divided)


def keep_together(workspace: Workspace, dataset_id: str, images: Collection[ImageRecord] | None = None) -> Dataset:
    """Put look-alikes that stand on both sides of the split into training, where they cannot flatter a result.

    Args:
        images: these alone; None = all that look alike.

    Raises:
        DataError: there are none.
        NotEnoughDataError: no image would be left to validate with.
    """

    def kept(dataset: Dataset) -> tuple[Dataset, str]:
        if images is None:
            alike = pictures_on_both_sides(dataset)
        else:
            alike = frozenset(record.pixels_sha256 for record in _present(dataset, images))
        moved = [record for record in dataset.images if record.pixels_sha256 in alike and record.split != "train"]
        if not moved:
            raise DataError(f"No two images of “{dataset.name}” look alike across the split.")
        named = [
            (replace(record, split="train") if record.pixels_sha256 in alike else record, name)
            for record, name in _named(dataset)
        ]
        what = f"Moved {count(len(moved), 'image')} to training, where look-alikes are"
        return _with_images(dataset, named), what

    return change_dataset(workspace, dataset_id, kept)


def remove_duplicates(workspace: Workspace, dataset_id: str) -> Dataset:
    """Keep one of each group of exact copies within a class: one to test with, else to validate with.

    Copies in several classes stay: which class is right, a person has to say.

    Raises:
        DataError: there is none.
        NotEnoughDataError: a class would have no image to train on.
    """
    order = {split: place for place, split in enumerate(reversed(SPLITS))}

    def single(dataset: Dataset) -> tuple[Dataset, str]:
        kept: dict[tuple[str, int], ImageRecord] = {}
        for record in sorted(dataset.images, key=lambda image: order[image.split]):
            kept.setdefault((record.pixels_sha256, record.label), record)
        chosen = {id(record) for record in kept.values()}
        named = [(record, name) for record, name in _named(dataset) if id(record) in chosen]
        copies = len(dataset.images) - len(named)
        if not copies:
            raise DataError(f"No class of “{dataset.name}” has an image twice.")
        return _with_images(dataset, named), f"Removed {count(copies, 'exact copy', 'exact copies')}"

    return change_dataset(workspace, dataset_id, single)


def find_images(dataset: Dataset, names: Iterable[str]) -> list[ImageRecord]:
    """The images with these source names, or with these names of their files.

    Raises:
        DataError: there is no image of that name.
    """
    by_name: dict[str, list[ImageRecord]] = {}
    for record in dataset.images:
        for name in {record.source_name, record.file, record.file.rpartition("/")[2]}:
            by_name.setdefault(name, []).append(record)
    found: list[ImageRecord] = []
    for name in names:
        if name not in by_name:
            example = dataset.images[0].source_name
            raise DataError(
                f"“{dataset.name}” has no image “{name}”: its names are like “{example}”, and "
                f"`python -m tl_core datasets {dataset.id}` lists them all."
            )
        found += by_name[name]
    return found


def _named(dataset: Dataset) -> list[Named]:
    return [(record, dataset.classes[record.label]) for record in dataset.images]


def _present(dataset: Dataset, images: Collection[ImageRecord]) -> set[ImageRecord]:
    chosen = set(images)
    if not chosen:
        raise DataError("No image is chosen: choose at least one.")
    if gone := chosen - set(dataset.images):
        name = min(record.source_name for record in gone)
        raise DataError(f"“{name}” was changed or removed meanwhile: look at the images again, and choose anew.")
    return chosen


def _require_classes(dataset: Dataset, names: Collection[str]) -> None:
    if unknown := sorted(set(names) - set(dataset.classes)):
        raise DataError(
            f"“{dataset.name}” has no class “{unknown[0]}”: its classes are {', '.join(dataset.classes)}."
        )


def _twins_of(
    dataset: Dataset, named: Sequence[Named], fresh: Collection[str], task: TaskContext = UNATTENDED
) -> dict[tuple[str, str], str]:
    """Names of twins by pixels and class, where images show the same as others of the class that they are new in.

    Args:
        dataset: whose folder has the files.
        named: all images, with the classes that they will have.
        fresh: pixels of those that are new in their class.
        task: see `name_twins`.
    """
    labels = {name: place for place, name in enumerate(_gaining(named, fresh))}
    within = [(record, name) for record, name in named if name in labels]
    images = [replace(record, label=labels[name]) for record, name in within]
    found = name_twins(dataset.path, images, task, fresh)
    return {(image.pixels_sha256, name): image.twins for image, (_, name) in zip(found, within, strict=True)}


def _gaining(named: Sequence[Named], fresh: Collection[str]) -> list[str]:
    return sorted({name for record, name in named if record.pixels_sha256 in fresh})


def _told(named: Iterable[Named], twins: Mapping[tuple[str, str], str]) -> list[Named]:
    return [
        (replace(record, twins=twins.get((record.pixels_sha256, name), record.twins)), name) for record, name in named
    ]


def _compared(dataset: Dataset, named: list[Named], fresh: Collection[str]) -> list[Named]:
    """The images with the names of their twins, those searched for that are new in their class.

    Somebody waits for the change, so nothing is searched where it would take long: a look for faults does it then.
    """
    images, new = (
        Counter(name for _, name in named),
        Counter(name for record, name in named if record.pixels_sha256 in fresh),
    )
    if sum(new[name] * images[name] for name in new) > MOST_COMPARISONS:
        return named
    try:
        return _told(named, _twins_of(dataset, named, fresh))
    except ImageError as error:  # a damaged file is no reason against putting things in order
        logger.warning("Pictures that show the same were not looked for in %s: %s", dataset.id, error)
        return named


def _placed(fresh: Sequence[Named], split: str | None, there: Sequence[Named]) -> list[Named]:
    """New images with their split: as said, else where their like is, of a new class as an import divides it."""
    if split is not None:
        return [(replace(record, split=split), name) for record, name in fresh]
    known = sorted({name for _, name in there})
    joining = [(replace(record, split=UNASSIGNED), name) for record, name in fresh if name in known]
    gaining = {name for _, name in joining}
    both = [*((record, name) for record, name in there if name in gaining), *joining]
    images = with_their_like([replace(record, label=known.index(name)) for record, name in both])
    placed = [(image, known[image.label]) for image in images[len(both) - len(joining) :]]
    unknown = [(record, name) for record, name in fresh if name not in known]
    if unknown:
        classes = sorted({name for _, name in unknown})
        images = [replace(record, label=classes.index(name), split=UNASSIGNED) for record, name in unknown]
        with contextlib.suppress(NotEnoughDataError):  # too few to keep any aside
            images = assign_splits(classes, images, SplitConfig())
        placed += [(replace(image, split=image.split or "train"), classes[image.label]) for image in images]
    return placed


def _with_images(dataset: Dataset, named: Sequence[Named]) -> Dataset:
    """The dataset with these images in this order; its classes are those that have any.

    Raises:
        DataError: a class that has images to validate or test with has none to train on, fewer than 2 are left.
        NotEnoughDataError: no image is left to validate with.
    """
    classes = tuple(sorted({name for _, name in named}, key=natural_key))
    if len(classes) < MIN_CLASSES:
        raise DataError(f"Only {count(len(classes), 'class', 'classes')} would be left, and a model needs 2.")
    training = Counter(name for record, name in named if record.split == "train")
    if empty := [name for name in classes if not training[name]]:
        raise NotEnoughDataError(
            f"The class “{empty[0]}” would have no image to train on: leave it some, or remove the whole class."
        )
    if not any(record.split == "validation" for record, _ in named):
        raise NotEnoughDataError("No image would be left to validate with: leave some, or split the images again.")
    label = {name: place for place, name in enumerate(classes)}
    images = tuple(replace(record, label=label[name]) for record, name in named)
    return replace(dataset, classes=classes, images=images)
