"""The health report of a dataset, in plain sentences, before time is spent on training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from tl_core.data.dataset import SPLITS, Dataset, ImageRecord
from tl_core.data.imports.class_names import clashing_names
from tl_core.data.similarity import near_pairs
from tl_core.storage.format import count as counted

Level = Literal["good", "note", "warning"]

FEW_IMAGES: Final = 10  # training images of a class; with fewer, results are a matter of luck
SOME_IMAGES: Final = 30  # training images of a class; with fewer, more would still help much
MAX_IMBALANCE: Final = 10  # times more images in the largest class than in the smallest
SMALL_SIDE: Final = 32  # pixels; smaller pictures show next to nothing when enlarged for a backbone
MAX_COMPARED: Final = 10_000  # images; in larger sets near duplicates are not searched for
_NAMED: Final = 3  # examples that a sentence names


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a dataset."""

    level: Level
    text: str


@lru_cache(maxsize=16)
def health_report(dataset: Dataset) -> tuple[Finding, ...]:
    """All findings, warnings first. Takes a fraction of a second; cached afterwards."""
    found = [finding for check in _CHECKS for finding in check(dataset)]
    order = {"warning": 0, "note": 1, "good": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.level]))


def _class_sizes(dataset: Dataset) -> list[Finding]:
    training = {name: counts["train"] for name, counts in dataset.counts().items()}
    few = [f"{name} ({count})" for name, count in training.items() if count < FEW_IMAGES]
    some = [f"{name} ({count})" for name, count in training.items() if FEW_IMAGES <= count < SOME_IMAGES]
    if few:
        return [
            Finding(
                "warning",
                f"Fewer than {FEW_IMAGES} images to train on: {_listed(few)}. Add more, or the result is chance.",
            )
        ]
    if some:
        return [Finding("note", f"Few images to train on: {_listed(some)}. More of them would help most.")]
    return [Finding("good", f"Every class has at least {min(training.values())} images to train on.")]


def _balance(dataset: Dataset) -> list[Finding]:
    sizes = Counter(image.label for image in dataset.images)
    (most, high), (least, low) = sizes.most_common()[0], sizes.most_common()[-1]
    names = dataset.classes
    if high > MAX_IMBALANCE * low:
        return [
            Finding(
                "warning",
                f"Very uneven classes: {high} images of “{names[most]}”, {low} of “{names[least]}”. The model will "
                "favour the large class: add images to the small one, or switch on class weights.",
            )
        ]
    if high > 3 * low:
        text = f"The classes are uneven: {high} images of “{names[most]}”, {low} of “{names[least]}”."
        return [Finding("note", f"{text} Class weights can make up for it.")]
    return [Finding("good", "The classes are of similar size.")]


def _splits(dataset: Dataset) -> list[Finding]:
    counts = dataset.counts()
    found = []
    for part in SPLITS[1:]:
        without = [name for name in dataset.classes if counts[name][part] == 0]
        if len(without) == len(dataset.classes):
            if part == "test":
                found.append(
                    Finding("note", "There is no test split: the final result is judged by validation images.")
                )
        elif without:
            found.append(
                Finding("note", f"No {part} images of: {_listed(without)}. Nothing can be said about them there.")
            )
    return found


def _exact_duplicates(dataset: Dataset) -> list[Finding]:
    groups = _by_pixels(dataset)
    copies = sum(len(group) - 1 for group in groups)
    mixed = [group for group in groups if len({image.label for image in group}) > 1]
    found = []
    if mixed:
        examples = _listed([" = ".join(image.source_name for image in group[:2]) for group in mixed])
        found.append(
            Finding(
                "warning", f"{counted(len(mixed), 'image lies', 'images lie')} in more than one class: {examples}."
            )
        )
    if copies:
        found.append(
            Finding("note", f"{counted(copies, 'image is an exact copy', 'images are exact copies')} of another.")
        )
    elif len(dataset.images) > 1:
        found.append(Finding("good", "No duplicates."))
    return found


def _near_duplicates(dataset: Dataset) -> list[Finding]:
    pairs = _near(dataset)
    if not pairs:
        return []
    examples = _listed([f"{first.source_name} ≈ {second.source_name}" for first, second in pairs])
    return [
        Finding("note", f"{counted(len(pairs), 'pair of images looks', 'pairs of images look')} alike: {examples}.")
    ]


def _leaks(dataset: Dataset) -> list[Finding]:
    """Images in training that are also in validation or test, where they make the result look too good."""
    exact = sum(_crosses(group) for group in _by_pixels(dataset))
    near = sum(_crosses(pair) for pair in _near(dataset))
    if not exact and not near:
        return [Finding("good", "No image is in more than one part of the split.")]
    found = []
    if exact:
        text = f"{counted(exact, 'image is', 'images are')} in training and in validation or test as well"
        found.append(Finding("warning", f"{text}: the results will look better than they are. Remove the copies."))
    if near:
        text = f"{counted(near, 'training image looks', 'training images look')} like one in validation or test"
        found.append(Finding("warning" if dataset.given_splits else "note", f"{text}: results may look too good."))
    return found


def _skipped(dataset: Dataset) -> list[Finding]:
    if not dataset.skipped:
        return [Finding("good", "All files could be read.")]
    examples = _listed([f"{skipped.name}" for skipped in dataset.skipped])
    return [Finding("note", f"{counted(len(dataset.skipped), 'file was', 'files were')} left out: {examples}.")]


def _small_images(dataset: Dataset) -> list[Finding]:
    small = sum(min(image.width, image.height) < SMALL_SIDE for image in dataset.images)
    if not small:
        return []
    text = f"{counted(small, 'image is', 'images are')} smaller than {SMALL_SIDE} pixels"
    return [
        Finding("warning" if small > len(dataset.images) / 10 else "note", f"{text}, so little can be seen in them.")
    ]


def _names(dataset: Dataset) -> list[Finding]:
    return [
        Finding("warning", f"Classes that differ in capital letters alone: {' and '.join(names)}. Are they the same?")
        for names in clashing_names(dataset.classes)
    ]


_CHECKS: Final[tuple[Callable[[Dataset], list[Finding]], ...]] = (
    _class_sizes,
    _balance,
    _splits,
    _leaks,
    _exact_duplicates,
    _near_duplicates,
    _skipped,
    _small_images,
    _names,
)


def _by_pixels(dataset: Dataset) -> list[list[ImageRecord]]:
    groups: dict[str, list[ImageRecord]] = {}
    for image in dataset.images:
        groups.setdefault(image.pixels_sha256, []).append(image)
    return [group for group in groups.values() if len(group) > 1]


@lru_cache(maxsize=16)
def _near(dataset: Dataset) -> tuple[tuple[ImageRecord, ImageRecord], ...]:
    """Pairs of different images that look alike; exact copies count once."""
    distinct = list({image.pixels_sha256: image for image in dataset.images if image.perceptual_hash}.values())
    if len(distinct) > MAX_COMPARED:
        return ()
    pairs = near_pairs([image.perceptual_hash for image in distinct])
    return tuple((distinct[first], distinct[second]) for first, second in pairs)


def _crosses(images: Sequence[ImageRecord]) -> bool:
    splits = {image.split for image in images}
    return "train" in splits and len(splits) > 1


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
