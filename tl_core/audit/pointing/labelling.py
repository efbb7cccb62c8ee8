"""What was said about unlabelled pictures so far, step by step: on the disk, so that it outlives page and server.

A labelling is a collection of pictures (`tl_core.data.collecting`) with ``labelling.json`` beside them. What is shown
and concluded follows from the steps alone, so undoing is to take the last one away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from tl_core.data.collecting import (
    COLLECTIONS,
    CollectedPicture,
    PictureCollection,
    keep_collection,
    make_dataset,
)
from tl_core.data.dataset import Dataset, SkippedFile, valid_name
from tl_core.data.imports.class_names import chosen_class_name, clean_class_name, clean_text
from tl_core.data.imports.importing import DEFAULT_SPLIT
from tl_core.data.split import SplitConfig
from tl_core.errors import DataError, DatasetNotFoundError, WorkspaceError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.files import locked, read_json, write_json
from tl_core.storage.format import count, percent
from tl_core.storage.schemas import POINTING
from tl_core.storage.workspace import Workspace

FILE: Final = "labelling.json"
MAX_CLASSES: Final = 50
MIN_PICTURES: Final = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One answer: pictures, by id, that are of a class; without one they were skipped."""

    pictures: tuple[str, ...]
    label: str | None


@dataclass(frozen=True, slots=True)
class Labelling:
    """Pictures, the classes to tell apart, and what was said so far."""

    collection: PictureCollection
    name: str  # of the dataset that it becomes
    classes: tuple[str, ...]
    steps: tuple[Step, ...] = ()

    @property
    def id(self) -> str:
        """That of its collection."""
        return self.collection.id

    @property
    def clicked(self) -> dict[str, str]:
        """The class of each picture that was labelled by hand, by the picture's id; a later answer counts."""
        return {picture: step.label for step in self.steps if step.label for picture in step.pictures}

    @property
    def skipped(self) -> frozenset[str]:
        """Pictures that nobody wanted to name; they are asked no more, and are in no dataset."""
        return frozenset(picture for step in self.steps if not step.label for picture in step.pictures)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the heads say of one picture."""

    label: str
    probability: float


def begin_labelling(workspace: Workspace, collection_id: str, name: str, classes: Sequence[str]) -> Labelling:
    """Begin with pictures that were brought; the collection is kept from now on.

    Raises:
        DataError: the name is unsound, there are too few pictures, or fewer than 2 classes or too many.
        DatasetNotFoundError: there is no such collection.
    """
    collection = COLLECTIONS.find_mine(workspace, collection_id)
    if len(collection.pictures) < MIN_PICTURES:
        raise DataError(
            f"Labelling by pointing needs at least {MIN_PICTURES} pictures. Received: {len(collection.pictures)}."
        )
    made = Labelling(collection, valid_name(name), _sound(classes))
    keep_collection(workspace, collection_id)
    with locked(collection.path):
        _write(made)
    return made


def load_labelling(workspace: Workspace, labelling_id: str) -> Labelling:
    """Read one, of the person.

    Raises:
        DatasetNotFoundError: there is none.
        DataError: its file is damaged.
    """
    return _read(COLLECTIONS.require_mine(workspace, labelling_id))


def list_labellings(workspace: Workspace) -> list[Labelling]:
    """Those of the person that are not finished, newest first."""
    return [
        load_labelling(workspace, found.id)
        for found in COLLECTIONS.list_all(workspace)
        if (found.path / FILE).is_file()
    ]


def point(workspace: Workspace, labelling_id: str, pictures: Collection[str], label: str | None) -> Labelling:
    """Say that pictures, named by their ids, are of a class; None where they shall be skipped.

    Raises:
        DataError: there is no such class, or a picture is not of this labelling.
        DatasetNotFoundError: there is no such labelling.
    """

    def pointed(before: Labelling) -> Labelling:
        if label is not None and label not in before.classes:
            raise DataError(f"There is no class “{label}”: its classes are {', '.join(before.classes)}.")
        known = {picture.id for picture in before.collection.pictures}
        if not pictures or not known.issuperset(pictures):
            raise DataError("These pictures are not here any more: reload the page.")
        return replace(before, steps=(*before.steps, Step(tuple(pictures), label)))

    return _change(workspace, labelling_id, pointed)


def take_back(workspace: Workspace, labelling_id: str) -> Labelling:
    """Forget the last answer; without any nothing happens. Raised is what `point` raises."""
    return _change(workspace, labelling_id, lambda before: replace(before, steps=before.steps[:-1]))


def add_class(workspace: Workspace, labelling_id: str, name: str) -> Labelling:
    """Tell one more class apart. Raised is what `begin_labelling` raises."""
    label = chosen_class_name(name)
    return _change(workspace, labelling_id, lambda before: replace(before, classes=_sound([*before.classes, label])))


def finish_labelling(
    workspace: Workspace,
    labelling: Labelling,
    concluded: Mapping[str, Conclusion],
    *,
    least: float,
    split: SplitConfig = DEFAULT_SPLIT,
    task: TaskContext = UNATTENDED,
) -> Dataset:
    """Make a dataset of what was clicked and of what was concluded surely enough; the rest is left out, and listed.

    ``labelling.json`` in the dataset's folder keeps apart what a person has said and what was concluded.

    Args:
        concluded: by the id of the picture, of those that were not clicked.
        least: probability from which a conclusion is taken, 0-1.

    Raises:
        NotEnoughDataError: fewer than 2 classes have at least 2 pictures.
        DatasetNotFoundError: the labelling is gone.
        WorkspaceError: the workspace cannot be written.
    """
    collection, clicked = labelling.collection, labelling.clicked
    named, left_out, taken = [], [], {}
    for picture in collection.pictures:
        found = concluded.get(picture.id)
        if label := clicked.get(picture.id):
            named.append((picture.record, label))
        elif found and found.probability >= least and picture.id not in labelling.skipped:
            named.append((picture.record, found.label))
            taken[picture.record.pixels_sha256] = asdict(found)
        else:
            left_out.append(SkippedFile(picture.record.source_name, _why_not(picture, labelling, found)))
    origin = f"labelling by pointing ({count(len(named) - len(taken), 'image')} by hand, {len(taken):,} concluded)"
    kept = replace(collection, skipped=(*collection.skipped, *left_out))
    dataset = make_dataset(workspace, kept, named, labelling.name, origin, split, task)
    record = {
        "clicked": {
            picture.record.pixels_sha256: clicked[picture.id]
            for picture in collection.pictures
            if picture.id in clicked
        },
        "concluded": taken,
        "least": least,
        "classes": list(labelling.classes),
    }
    write_json(dataset.path / FILE, POINTING.stamped(record))
    return dataset


def _why_not(picture: CollectedPicture, labelling: Labelling, found: Conclusion | None) -> str:
    if picture.id in labelling.skipped:
        return "It was skipped while labelling."
    if found is None:
        return "It was not labelled."
    return f"Its class was not sure enough: {found.label}, {percent(found.probability, 0)}."


def _sound(classes: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(clean_class_name(name) for name in classes if clean_text(name)))
    if len(names) < 2:
        raise DataError(f"You named {'one class' if names else 'no class'}. Put a comma between the names: cat, dog.")
    if len(names) > MAX_CLASSES:
        raise DataError(
            f"You named {len(names)} classes. Name {MAX_CLASSES} at most; others can be made of these later."
        )
    return names


def _change(workspace: Workspace, labelling_id: str, change: Callable[[Labelling], Labelling]) -> Labelling:
    path = COLLECTIONS.require_mine(workspace, labelling_id)
    try:
        with locked(path):
            after = change(_read(path))
            _write(after)
    except FileNotFoundError as error:
        raise _missing() from error
    return after


def _read(path: Path) -> Labelling:
    try:
        values = POINTING.upgraded(read_json(path / FILE))
        return Labelling(
            COLLECTIONS.read(path),
            str(values["name"]),
            tuple(str(name) for name in values["classes"]),
            tuple(Step(tuple(map(str, step["pictures"])), step["label"]) for step in values["steps"]),
        )
    except FileNotFoundError as error:
        raise _missing() from error
    except (KeyError, TypeError, ValueError, WorkspaceError) as error:
        raise DataError(f"The labelling “{path.name}” is damaged: bring its pictures again.") from error


def _write(labelling: Labelling) -> None:
    values = {
        "name": labelling.name,
        "classes": list(labelling.classes),
        "steps": [asdict(step) for step in labelling.steps],
    }
    write_json(labelling.collection.path / FILE, POINTING.stamped(values))


def _missing() -> DatasetNotFoundError:
    return DatasetNotFoundError("This labelling is not here any more: it was finished or deleted.")
