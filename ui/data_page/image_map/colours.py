"""What the points of the map are coloured by: a table of choices, each of which puts every image into a group."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tl_core.data import SPLITS, Dataset
from tl_core.data.dataset import load_dataset
from tl_core.figures.palette import RIGHT, RUNS, SPLIT_COLORS, SPLIT_TITLES, TEST, WRONG
from tl_core.storage.format import count

SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "x")
"""Eight colours are told apart, so the ninth class begins again with another shape."""

COLOURS: Final[Mapping[str, str]] = {
    "class": "Class",
    "split": "Part",
    "added": "When added",
    "court": "Doubtful labels",
}
"""The choices that need no run."""


@dataclass(frozen=True, slots=True)
class Group:
    """Images of one colour and shape."""

    name: str
    color: str
    symbol: str = "circle"


@dataclass(frozen=True, slots=True)
class Colouring:
    """The groups, and for each image of a dataset, in its order, the index of its own."""

    groups: tuple[Group, ...]
    group_of: tuple[int, ...]


def by_class(dataset: Dataset) -> Colouring:
    """One group for each class."""
    groups = tuple(
        Group(name, RUNS[place % len(RUNS)], SYMBOLS[place // len(RUNS) % len(SYMBOLS)])
        for place, name in enumerate(dataset.classes)
    )
    return Colouring(groups, tuple(record.label for record in dataset.images))


def by_split(dataset: Dataset) -> Colouring:
    """Training, validation, test."""
    shapes = dict(zip(SPLITS, SYMBOLS, strict=False))
    groups = tuple(Group(SPLIT_TITLES[name], SPLIT_COLORS[name], shapes[name]) for name in SPLITS)
    return Colouring(groups, tuple(SPLITS.index(record.split) for record in dataset.images))


@functools.lru_cache(maxsize=8)
def by_revision(dataset: Dataset) -> Colouring:
    """One group for each revision that brought images: pictures, whatever became of their class and split since."""
    left = {record.pixels_sha256 for record in dataset.images}
    brought: dict[str, int] = {}
    titles: dict[int, str] = {}
    for revision in dataset.revisions:
        if not left:
            break
        images = load_dataset(dataset.path, revision.number).images
        if new := {record.pixels_sha256 for record in images} & left:
            titles[revision.number] = revision.what
            brought |= dict.fromkeys(new, len(titles) - 1)
            left -= new
    groups = tuple(
        Group(
            f"Revision {number}: {what}",
            RUNS[place % len(RUNS)],
            SYMBOLS[place // len(RUNS) % len(SYMBOLS)],
        )
        for place, (number, what) in enumerate(titles.items())
    )
    return Colouring(groups, tuple(brought[record.pixels_sha256] for record in dataset.images))


def by_verdict(dataset: Dataset, answers: Mapping[str, str], right: str, wrong: str, unasked: str) -> Colouring:
    """Whether somebody who judged the pictures agrees with their labels.

    Args:
        answers: class names by ``pixels_sha256``.
        right: the name of the group where answer and label agree.
        wrong: where they do not.
        unasked: where there is no answer; that group is left out where it is empty.
    """
    groups: Sequence[Group] = (Group(right, RIGHT), Group(wrong, WRONG, "diamond"), Group(unasked, TEST, "x"))
    group_of = tuple(
        2 if (answer := answers.get(record.pixels_sha256)) is None else int(answer != dataset.classes[record.label])
        for record in dataset.images
    )
    return Colouring(tuple(groups if 2 in group_of else groups[:2]), group_of)


def describe(colouring: Colouring, by: str) -> str:
    """The map in a sentence, for screen readers."""
    sizes = [0] * len(colouring.groups)
    for group in colouring.group_of:
        sizes[group] += 1
    most = sorted(zip(sizes, colouring.groups, strict=True), key=lambda entry: -entry[0])[:10]
    listed = ", ".join(f"{group.name}: {size:,}" for size, group in most)
    return (
        f"Map of {count(sum(sizes), 'image')}, those that look alike beside each other, coloured by {by}. {listed}."
    )
