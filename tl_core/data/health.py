"""The health report of a dataset, in plain sentences, before time is spent on training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from tl_core.data.dataset import SPLITS, Dataset, ImageRecord
from tl_core.data.imports.class_names import clashing_names
from tl_core.data.similarity import near_pairs
from tl_core.data.split import series_of
from tl_core.data.twins import twin_groups
from tl_core.storage.format import count as counted
from tl_core.storage.format import percent

Level = Literal["good", "note", "warning"]
Mend = Literal["balance", "divide_again", "keep_together", "remove_duplicates", "border", "audit", "divide_audited"]
"""Train with class weights; draw the split anew; put look-alikes on one side; keep one of each group of exact copies;
train with a border; look closer (`tl_core.audit.report`); draw the split anew, what that has found on one side."""

FEW_IMAGES: Final = 10  # training images of a class; with fewer, results are a matter of luck
SOME_IMAGES: Final = 30  # training images of a class; with fewer, more would still help much
MILD_IMBALANCE: Final = 1.5  # times; nothing has to be done, but "similar" would be wrong
MAX_IMBALANCE: Final = 10  # times more images in the largest class than in the smallest
SMALL_SIDE: Final = 32  # pixels; smaller pictures show next to nothing when enlarged for a backbone
DARK: Final = 40  # grey level, 0-255; where nothing is brighter, little can be seen
BLANK: Final = 4  # grey levels between the darkest and the brightest; with fewer, nothing can be seen
TOLD_BY_SHAPE: Final = 0.5  # share of the wrong guesses that knowing the shape of the pictures saves
MAX_COMPARED: Final = 10_000  # images; in larger sets near duplicates are not searched for
_NAMED: Final = 3  # examples that a sentence names


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a dataset."""

    level: Level
    text: str
    images: tuple[ImageRecord, ...] = field(default=(), compare=False)  # it speaks of; those alike side by side
    mends: tuple[Mend, ...] = field(default=(), compare=False)  # what a person can do about it with one click each
    groups: tuple[tuple[ImageRecord, ...], ...] = field(default=(), compare=False)  # of `images` that look alike


@lru_cache(maxsize=16)
def health_report(dataset: Dataset) -> tuple[Finding, ...]:
    """All findings, warnings first. Takes a fraction of a second; cached afterwards."""
    found = [finding for check in _CHECKS for finding in check(dataset)]
    order = {"warning": 0, "note": 1, "good": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.level]))


def _class_sizes(dataset: Dataset) -> Iterator[Finding]:
    training = {name: counts["train"] for name, counts in dataset.counts().items()}
    few = [f"{name} ({count})" for name, count in training.items() if count < FEW_IMAGES]
    some = [f"{name} ({count})" for name, count in training.items() if FEW_IMAGES <= count < SOME_IMAGES]
    if few:
        text = f"Fewer than {FEW_IMAGES} images to train on: {_listed(few)}. Add more, or the result is mostly luck."
        yield Finding("warning", text, _of_classes(dataset, lambda name: training[name] < FEW_IMAGES))
    elif some:
        text = f"Few images to train on: {_listed(some)}. More of them would help most."
        yield Finding("note", text, _of_classes(dataset, lambda name: FEW_IMAGES <= training[name] < SOME_IMAGES))
    else:
        yield Finding("good", f"Every class has at least {min(training.values())} images to train on.")


def _balance(dataset: Dataset) -> Iterator[Finding]:
    sizes = Counter(dataset.classes[image.label] for image in dataset.images).most_common()
    (most, high), (least, low) = sizes[0], sizes[-1]
    rare = _of_classes(dataset, lambda name: name == least)
    listed = f"{high} images of “{most}”, {low} of “{least}”."
    if high > MAX_IMBALANCE * low:
        yield Finding(
            "warning",
            f"Very uneven classes: {listed} The model will favour the large class: add images to the small one, or "
            "balance the classes when you train.",
            rare,
            ("balance",),
        )
    elif high > 3 * low:
        text = f"The classes are uneven: {listed} Balancing the classes when you train can make up for it."
        yield Finding("note", text, rare, ("balance",))
    elif high > MILD_IMBALANCE * low:
        yield Finding("good", f"The classes differ in size, but not much: {listed}", rare)
    else:
        yield Finding("good", "The classes are of similar size.")


def _splits(dataset: Dataset) -> Iterator[Finding]:
    counts = dataset.counts()
    for part in SPLITS[1:]:
        if unjudged := nothing_can_be_said(dataset, part):
            yield Finding("note", unjudged)
        elif part == "test" and not any(of[part] for of in counts.values()):
            yield Finding("note", "There is no test split: the final result is judged by validation images.")


def nothing_can_be_said(dataset: Dataset, part: str) -> str | None:
    """Which classes a part of the split has no images of, as a sentence; None where it has some of all, or none."""
    without = [name for name, of in dataset.counts().items() if of[part] == 0]
    if 0 < len(without) < len(dataset.classes):
        return f"No {part} images of: {_listed(without)}. Nothing can be said about them there."
    return None


def _exact_duplicates(dataset: Dataset) -> Iterator[Finding]:
    groups = _by_pixels(dataset)
    copies = sum(len(group) - 1 for group in groups)
    mixed = [group for group in groups if len({image.label for image in group}) > 1]
    if mixed:
        examples = _listed([" = ".join(image.source_name for image in group[:2]) for group in mixed])
        text = f"{counted(len(mixed), 'image lies', 'images lie')} in more than one class: {examples}."
        yield Finding("warning", text, _flat(mixed), groups=_fixed(mixed))
    if copies:
        text = f"{counted(copies, 'image is an exact copy', 'images are exact copies')} of another."
        yield Finding("note", text, _flat(groups), ("remove_duplicates",), _fixed(groups))
    elif len(dataset.images) > 1:
        yield Finding("good", "No duplicates.")


def _near_duplicates(dataset: Dataset) -> Iterator[Finding]:
    pairs = _near(dataset)
    if mixed := [pair for pair in pairs if pair[0].label != pair[1].label]:
        examples = _listed([f"{first.source_name} ≈ {second.source_name}" for first, second in mixed])
        text = f"{counted(len(mixed), 'pair is', 'pairs are')} nearly the same picture in two classes: {examples}."
        yield Finding("warning", text, _flat(mixed), groups=_fixed(mixed))
    if pairs := tuple(pair for pair in pairs if pair[0].label == pair[1].label):
        examples = _listed([f"{first.source_name} ≈ {second.source_name}" for first, second in pairs])
        text = f"{counted(len(pairs), 'pair is', 'pairs are')} nearly the same picture in one class: {examples}."
        yield Finding("note", text, _flat(pairs), groups=_fixed(pairs))


def _leaks(dataset: Dataset) -> Iterator[Finding]:
    """Images in training that are also in validation or test, where they make the result look too good."""
    copies = [group for group in _by_pixels(dataset) if _crosses(group)]
    alike = [pair for pair in _near(dataset) if _crosses(pair)]
    exact, near = len(copies), len(alike)
    told = {image.pixels_sha256 for group in (*copies, *alike) for image in group}
    unlike = [tuple(image for image in group if image.pixels_sha256 not in told) for group in _twins(dataset)]
    twins = [group for group in unlike if _crosses(group)]
    if exact:
        text = f"{counted(exact, 'image is', 'images are')} in training and in validation or test as well"
        yield Finding(
            "warning",
            f"{text}: the results will look better than they are. Remove the copies.",
            _flat(copies),
            ("remove_duplicates",),
            _fixed(copies),
        )
    if near:
        text = f"{counted(near, 'pair is', 'pairs are')} nearly the same picture, one to train on and one to measure"
        yield Finding(
            "warning" if dataset.given_splits else "note",
            f"{text} with: results may look too good.",
            _flat(alike),
            ("keep_together", "divide_again"),
            _fixed(alike),
        )
    if twins:
        held_out = sum(image.split != "train" for group in twins for image in group)
        text = f"{counted(held_out, 'image shows', 'images show')} the same as one to train on"
        yield Finding(
            "warning" if dataset.given_splits else "note",
            f"{text}, turned, mirrored, cropped or in another light: results may look too good.",
            _flat(twins),
            ("keep_together", "divide_again"),
            _fixed(twins),
        )
    if not exact and not near and not twins:
        text = "No image is in more than one part of the split, not even saved again as another file."
        yield Finding("good", text, mends=("audit",))


def _recordings(dataset: Dataset) -> Iterator[Finding]:
    """Recordings and series of which some frames are in training and others are not."""
    recordings: dict[str, list[ImageRecord]] = {}
    pools: dict[int, list[int]] = {}
    for place, image in enumerate(dataset.images):
        pools.setdefault(image.label, []).append(place)
        if image.group:
            recordings.setdefault(image.group, []).append(image)
    series = [
        [dataset.images[place] for place in run] for pool in pools.values() for run in series_of(dataset.images, pool)
    ]
    cut = [frames for frames in (*recordings.values(), *series) if _crosses(frames)]
    if cut:
        names = _listed(sorted({dataset.classes[frames[0].label] for frames in cut}))
        yield Finding(
            "warning",
            f"Frames of one recording or series are in training and in validation or test: {names}. The results will "
            "look better than they are: split again, and if that does not help, record once more in another place.",
            tuple(dict.fromkeys(_flat(cut))),
            ("divide_again",),
        )


def _skipped(dataset: Dataset) -> Iterator[Finding]:
    if dataset.skipped:
        examples = _listed([skipped.name for skipped in dataset.skipped])
        yield Finding("note", f"{counted(len(dataset.skipped), 'file was', 'files were')} left out: {examples}.")
    else:
        yield Finding("good", "All files could be read.")


def _small_images(dataset: Dataset) -> Iterator[Finding]:
    if small := tuple(image for image in dataset.images if min(image.width, image.height) < SMALL_SIDE):
        text = f"{counted(len(small), 'image is', 'images are')} smaller than {SMALL_SIDE} pixels"
        yield Finding(_by_share(small, dataset), f"{text}, so little can be seen in them.", small)


def _light(dataset: Dataset) -> Iterator[Finding]:
    """Pictures in which nothing can be seen; those of earlier imports were not measured."""
    seen = [(image, image.darkest or 0, image.brightest) for image in dataset.images if image.brightest is not None]
    blank = tuple(image for image, low, high in seen if high - low < BLANK)
    dark = tuple(image for image, low, high in seen if high - low >= BLANK and high < DARK)
    if blank:
        text = f"{counted(len(blank), 'image is', 'images are')} blank, one colour all over"
        yield Finding(_by_share(blank, dataset), f"{text}: {_listed([image.source_name for image in blank])}.", blank)
    if dark:
        text = f"{counted(len(dark), 'image is', 'images are')} very dark, so little can be seen in them"
        yield Finding(_by_share(dark, dataset), f"{text}: {_listed([image.source_name for image in dark])}.", dark)


def shape_tells(dataset: Dataset) -> tuple[float, float] | None:
    """How often the class can be told from the shape of the picture alone, and by guessing; None if it does not help.

    Each picture is guessed to be what most others of its shape are.
    """
    shapes: dict[int, Counter[int]] = {}
    of = [(round(10 * math.log2(image.width / image.height)), image.label) for image in dataset.images]
    for shape, label in of:
        shapes.setdefault(shape, Counter())[label] += 1
    if len(shapes) < 2:
        return None
    right = sum(
        shapes[shape][label] > 1
        and shapes[shape][label] - 1 >= max((n for other, n in shapes[shape].items() if other != label), default=0)
        for shape, label in of
    )
    guessed = max(Counter(label for _, label in of).values()) / len(of)
    told = right / len(of)
    return (told, guessed) if 1 - told <= TOLD_BY_SHAPE * (1 - guessed) else None


def _shapes(dataset: Dataset) -> Iterator[Finding]:
    if found := shape_tells(dataset):
        yield Finding(
            "warning",
            f"The shape of the pictures, wide or high, tells the classes apart by itself: {percent(found[0])} right, "
            f"and {percent(found[1])} by guessing. Squeezed to squares, a circle and an ellipse may look the same, "
            "and a model may learn the shape alone: train with a border, and bring pictures of each shape for each "
            "class.",
            mends=("border",),
        )


def _by_share(images: Sequence[ImageRecord], dataset: Dataset) -> Level:
    return "warning" if len(images) > len(dataset.images) / 10 else "note"


def _names(dataset: Dataset) -> Iterator[Finding]:
    for names in clashing_names(dataset.classes):
        text = f"Classes that differ in capital letters alone: {' and '.join(names)}. Are they the same?"
        yield Finding("warning", text, _of_classes(dataset, frozenset(names).__contains__))


_CHECKS: Final[tuple[Callable[[Dataset], Iterator[Finding]], ...]] = (
    _class_sizes,
    _balance,
    _splits,
    _leaks,
    _exact_duplicates,
    _near_duplicates,
    _recordings,
    _skipped,
    _small_images,
    _light,
    _shapes,
    _names,
)


def pictures_on_both_sides(dataset: Dataset) -> frozenset[str]:
    """The pixels (`ImageRecord.pixels_sha256`) of look-alikes of which one is for training and another is not."""
    groups = [group for group in (*_near(dataset), *_twins(dataset)) if _crosses(group)]
    return frozenset(image.pixels_sha256 for group in groups for image in group)


def _flat(groups: Iterable[Sequence[ImageRecord]]) -> tuple[ImageRecord, ...]:
    return tuple(image for group in groups for image in group)


def _fixed(groups: Iterable[Sequence[ImageRecord]]) -> tuple[tuple[ImageRecord, ...], ...]:
    return tuple(tuple(group) for group in groups)


def _of_classes(dataset: Dataset, wanted: Callable[[str], bool]) -> tuple[ImageRecord, ...]:
    return tuple(image for image in dataset.images if wanted(dataset.classes[image.label]))


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


@lru_cache(maxsize=16)
def _twins(dataset: Dataset) -> tuple[tuple[ImageRecord, ...], ...]:
    """Groups of different images of a class that showed the same when they were imported."""
    return tuple(map(tuple, twin_groups(dataset.images)))


def _crosses(images: Sequence[ImageRecord]) -> bool:
    splits = {image.split for image in images}
    return "train" in splits and len(splits) > 1


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
