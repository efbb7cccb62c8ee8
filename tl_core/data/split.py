"""Dividing images into train, validation and test: by class, by seed, and never a duplicate on both sides."""

from __future__ import annotations

import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from tl_core.config.validation import require_number
from tl_core.data.dataset import ImageRecord
from tl_core.data.similarity import differing_share, groups_of, near_pairs
from tl_core.errors import NotEnoughDataError

UNASSIGNED: Final = ""  # the split of an image that came without one
MAX_HELD_OUT: Final = 0.8  # of the images, for validation and test together
MAX_COMPARED: Final = 20_000  # images of one class that are compared pair by pair for near duplicates
MAX_GROUP_SHARE: Final = 0.2  # a larger group of look-alikes within a class is no evidence of duplicates

MAX_NEAR_SHARE: Final = 0.4  # of a class that may be kept in training because another class has nearly the same

PIECES: Final = 10  # of a recording that is most of its class, in a cross-validation

MAX_OVERSHOOT: Final = 2  # times the images that the test should have: a group that is larger is trained on

SHORTEST_SERIES: Final = 5  # images
SERIES_SHARE: Final = 0.6  # of the bits of two hashes, in which neighbours of a series differ at most ...
SERIES_OF_USUAL: Final = 0.75  # ... and this part of what two pictures of the class usually differ in
USUAL_PAIRS: Final = 200
_NUMBER: Final = re.compile(r"(.*?)(\d{1,9})\D*", re.DOTALL)

_LEAST: Final = {"validation": 3, "test": 4}  # images of a class from which on it gets one there


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """Which share of each class goes where; the rest is for training."""

    validation: float = 0.15  # fraction of each class, 0.01-0.5
    test: float = 0.15  # fraction of each class, 0-0.5
    seed: int = 42  # the same seed gives the same images the same split

    def __post_init__(self) -> None:
        require_number("The validation fraction", self.validation, 0.01, 0.5)
        require_number("The test fraction", self.test, 0, 0.5)
        require_number("The validation and test fractions together", self.validation + self.test, 0, MAX_HELD_OUT)
        require_number("The seed of the split", self.seed, 0, 2**31 - 1, whole=True)


def assign_splits(
    classes: Sequence[str],
    images: Sequence[ImageRecord],
    config: SplitConfig,
    alike: Sequence[tuple[int, int]] = (),
) -> list[ImageRecord]:
    """Assign a split to every image.

    Splits that came with the images are kept. A part that did not come (validation, and test unless its
    fraction is 0) is drawn from each class of the training images: every class keeps at least one training
    image and, from three images on, gets at least one for validation. Images with the same pixels, near duplicates
    within a class, twins (`tl_core.data.twins`), and the frames of one recording or of one series (`series_of`) stay
    together; where a class is one recording alone, that is cut into its beginning, to train on, and its end.

    Args:
        classes: names of the labels; with the seed they decide the draw, so another class changes nothing.
        images: records whose split is one of `SPLITS`, or `UNASSIGNED` where none came with the image.
        config: the fractions and the seed.
        alike: places of further pairs that stay together within a class, such as an audit finds.

    Raises:
        NotEnoughDataError: a class has no image to train on.
    """
    given = {image.split for image in images}
    wanted = {
        "validation": 0.0 if "validation" in given else config.validation,
        "test": 0.0 if "test" in given else config.test,
    }
    splits = [image.split or "train" for image in images]
    ambiguous = _pixels_of_several_classes(images)
    for label, name in enumerate(classes):
        pool = [i for i, image in enumerate(images) if image.label == label and splits[i] == "train"]
        if not pool:
            raise NotEnoughDataError(
                f"The class “{name}” has no image to train on: put some under train, or remove the class."
            )
        series = series_of(images, pool)
        groups = _together(images, pool, series, alike)
        if len(groups) == 1 and (images[pool[0]].group or series):
            groups = _segments(images, pool, wanted)
        free = [group for group in groups if not any(images[i].pixels_sha256 in ambiguous for i in group)]
        rng = np.random.default_rng([config.seed, zlib.crc32(name.encode())])
        for part, chosen in _draw(free, len(pool), wanted, rng).items():
            for index in chosen:
                splits[index] = part
    if "validation" not in splits:
        raise NotEnoughDataError(
            "No image is left to validate with, because the same images are in several classes: leave each image in "
            "the one class that it belongs to."
            if len(ambiguous) > 2
            else "No image is left to validate with, because the classes are too small or hold copies of one image: "
            "bring at least 3 different images of each class."
        )
    return [replace(image, split=part) for image, part in zip(images, splits, strict=True)]


def with_their_like(images: Sequence[ImageRecord]) -> list[ImageRecord]:
    """Assign a split to images that are added to classes which are divided: that of what they stay together with.

    Whatever stays together with nothing that is there, or with images of several splits, is for training.

    Args:
        images: those that are there, and the new ones, whose split is `UNASSIGNED`.
    """
    splits = [image.split for image in images]
    pools: dict[int, list[int]] = {}
    for index, image in enumerate(images):
        pools.setdefault(image.label, []).append(index)
    for pool in pools.values():
        for group in _together(images, pool, series_of(images, pool), ()):
            sides = {images[index].split for index in group} - {UNASSIGNED}
            for index in group:
                splits[index] = splits[index] or (min(sides) if len(sides) == 1 else "train")
    return [replace(image, split=split) for image, split in zip(images, splits, strict=True)]


def groups_of_images(
    images: Sequence[ImageRecord], alike: Iterable[tuple[ImageRecord, ImageRecord]] = ()
) -> list[str]:
    """The group of each image, for folds of a cross-validation that tear apart nothing that `assign_splits` keeps.

    Copies, near duplicates and twins within a class, and the frames of one recording or series are a group. One that
    is most of its class is cut into pieces of neighbouring frames: a head that has seen nothing of a class knows
    nothing of it.

    Args:
        images: of one dataset.
        alike: further pairs of them that belong together, such as `tl_core.audit.look_alikes` finds.

    Returns:
        ``(images,)``; images of one group have one name.
    """
    pairs: list[tuple[int, int]] = []
    first: dict[str, int] = {}
    for index, image in enumerate(images):
        pairs.append((first.setdefault(image.pixels_sha256, index), index))
    pools: dict[int, list[int]] = {}
    for index, image in enumerate(images):
        pools.setdefault(image.label, []).append(index)
    for pool in pools.values():
        for group in _together(images, pool, series_of(images, pool), ()):
            for piece in _pieces(images, group) if len(group) > max(4, len(pool) / 2) else [group]:
                pairs += [(piece[0], index) for index in piece[1:]]
    names = [""] * len(images)
    for members in groups_of(len(images), [*pairs, *_not_too_many(images, alike, pools)]):
        for index in members:
            names[index] = images[members[0]].pixels_sha256
    return names


def _not_too_many(
    images: Sequence[ImageRecord], alike: Iterable[tuple[ImageRecord, ImageRecord]], pools: dict[int, list[int]]
) -> list[tuple[int, int]]:
    """The pairs by their places, without those that would join a large part of a class."""
    places = {image: index for index, image in enumerate(images)}
    pairs = [(places[one], places[other]) for one, other in alike]
    kept = []
    for members in groups_of(len(images), pairs) if pairs else []:
        if len(members) <= max(4, MAX_GROUP_SHARE * len(pools[images[members[0]].label])):
            kept += [(members[0], index) for index in members[1:]]
    return kept


def _pixels_of_several_classes(images: Sequence[ImageRecord]) -> set[str]:
    """Pixels that have two labels; all of them stay in training, as they cannot be split by class.

    So do near duplicates with two labels, unless they are much of a class: then they tell of pictures that are all
    alike, as plain shapes are, and not of one picture in two classes.
    """
    labels: dict[str, set[int]] = {}
    for image in images:
        labels.setdefault(image.pixels_sha256, set()).add(image.label)
    several = {pixels for pixels, found in labels.items() if len(found) > 1}
    distinct = list({image.pixels_sha256: image for image in images if image.perceptual_hash}.values())
    if not 2 <= len(distinct) <= MAX_COMPARED:
        return several
    near: set[str] = set()
    for one, other in near_pairs([image.perceptual_hash for image in distinct]):
        if distinct[one].label != distinct[other].label:
            near |= {distinct[one].pixels_sha256, distinct[other].pixels_sha256}
    of_class = Counter(image.label for image in distinct)
    near_of_class = Counter(image.label for image in distinct if image.pixels_sha256 in near)
    much = any(found > MAX_NEAR_SHARE * of_class[label] for label, found in near_of_class.items())
    return several if much else several | near


def _duplicate_groups(images: Sequence[ImageRecord], pool: Sequence[int]) -> list[list[int]]:
    """Partition ``pool`` into duplicates, in an order that does not depend on the order of the import."""
    by_pixels: dict[str, list[int]] = {}
    for index in pool:
        by_pixels.setdefault(images[index].pixels_sha256, []).append(index)
    exact = [by_pixels[pixels] for pixels in sorted(by_pixels)]
    hashes = [images[members[0]].perceptual_hash for members in exact]
    if not all(hashes) or len(hashes) > MAX_COMPARED:
        return exact
    groups = []
    for positions in groups_of(len(exact), near_pairs(hashes)):
        if len(positions) > max(4, MAX_GROUP_SHARE * len(exact)):
            groups += [exact[position] for position in positions]
        else:
            groups.append([index for position in positions for index in exact[position]])
    return groups


def series_of(images: Sequence[ImageRecord], pool: Sequence[int]) -> list[list[int]]:
    """The series among some images of one class: numbered files of which each looks much like the one before.

    So are the frames of a film that was cut into pictures, or a burst of a camera. Neighbours in a series differ by
    less than pictures of the class usually do, which tells it from a class whose pictures are all alike.

    Args:
        images: of a dataset.
        pool: places of some of them.

    Returns:
        Places, in the order of the numbers; 5 or more in each series.
    """
    known = [index for index in pool if images[index].perceptual_hash]
    if len(known) < SHORTEST_SERIES:
        return []
    rng = np.random.default_rng(0)
    usual = float(np.median(_differences(images, rng.choice(known, (2, USUAL_PAIRS)).tolist())))
    if usual < SERIES_SHARE:  # they are all much alike, as digits are
        return []
    limit = min(SERIES_SHARE, SERIES_OF_USUAL * usual)
    found = []
    for whole_path in (True, False):  # a series may lie in one folder, or be torn apart into those of the splits
        runs: dict[str, list[int]] = {}
        for index in sorted(known, key=lambda index: _numbered(images[index], whole_path=whole_path)):
            runs.setdefault(_numbered(images[index], whole_path=whole_path)[0], []).append(index)
        for run in runs.values():
            cuts = np.flatnonzero(_differences(images, [run[:-1], run[1:]]) > limit) + 1
            found += [part.tolist() for part in np.split(np.array(run), cuts) if len(part) >= SHORTEST_SERIES]
    return found


def _differences(images: Sequence[ImageRecord], pairs: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
    first, second = ([images[index].perceptual_hash for index in places] for places in pairs)
    return differing_share(first, second)


def _numbered(image: ImageRecord, *, whole_path: bool = True) -> tuple[str, int, str]:
    """What stands before the last number of a file name, and the number; what has none stands alone."""
    name = image.source_name if whole_path else image.source_name.rpartition("/")[2]
    found = _NUMBER.fullmatch(name.rpartition(".")[0] or name)
    return (found[1], int(found[2]), image.source_name) if found else (image.source_name, 0, image.source_name)


def _together(
    images: Sequence[ImageRecord],
    pool: Sequence[int],
    series: Sequence[Sequence[int]],
    alike: Sequence[tuple[int, int]],
) -> list[list[int]]:
    """Partition ``pool`` into what stays on one side."""
    pairs = [pair for frames in series for pair in itertools.pairwise(frames)]
    return _with_named(images, _joined(_duplicate_groups(images, pool), [*alike, *pairs]))


def _joined(groups: list[list[int]], alike: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The groups, those joined of which a pair holds one of each."""
    group_of = {index: place for place, group in enumerate(groups) for index in group}
    pairs = [(group_of[one], group_of[other]) for one, other in alike if one in group_of and other in group_of]
    if not pairs:
        return groups
    return [[index for place in joined for index in groups[place]] for joined in groups_of(len(groups), pairs)]


def _with_named(images: Sequence[ImageRecord], groups: list[list[int]]) -> list[list[int]]:
    """The groups, those joined that hold frames of the same recording, or pictures that show the same."""
    first: dict[tuple[str, str], int] = {}
    pairs = [
        (first.setdefault(name, place), place)
        for place, group in enumerate(groups)
        for index in group
        for name in (("recording", images[index].group), ("twins", images[index].twins))
        if name[1]
    ]
    if not pairs:
        return groups
    return [[index for place in joined for index in groups[place]] for joined in groups_of(len(groups), pairs)]


def _pieces(images: Sequence[ImageRecord], group: Sequence[int]) -> list[list[int]]:
    """One recording, cut into pieces of neighbouring frames; equal frames stay together."""
    frames = _frames(images, group)
    ends = np.linspace(0, len(frames), min(PIECES, len(frames)) + 1).astype(int)
    return [[index for frame in frames[start:end] for index in frame] for start, end in itertools.pairwise(ends)]


def _frames(images: Sequence[ImageRecord], group: Sequence[int]) -> list[list[int]]:
    """The different frames of a recording in their order, each with its copies."""
    order: dict[str, list[int]] = {}
    for index in sorted(group, key=lambda index: _numbered(images[index])):
        order.setdefault(images[index].pixels_sha256, []).append(index)
    return list(order.values())


def _segments(images: Sequence[ImageRecord], pool: Sequence[int], wanted: dict[str, float]) -> list[list[int]]:
    """One recording, cut into its beginning and one piece at its end for each part; equal frames stay together."""
    frames = _frames(images, pool)
    pieces = [
        max(1, round(len(frames) * share)) for part, share in wanted.items() if share and len(frames) >= _LEAST[part]
    ]
    ends = [len(frames) - sum(pieces[place:]) for place in range(len(pieces))]
    bounds = zip([0, *ends], [*ends, len(frames)], strict=True)
    return [[index for frame in frames[start:end] for index in frame] for start, end in bounds]


def _draw(
    groups: list[list[int]], size: int, wanted: dict[str, float], rng: np.random.Generator
) -> dict[str, list[int]]:
    """Take whole groups at random, first for validation; at least one group is left for training."""
    left = [groups[position] for position in rng.permutation(len(groups))]
    result: dict[str, list[int]] = {}
    for part, least in _LEAST.items():
        goal = max(round(size * wanted[part]), 1 if size >= least else 0) if wanted[part] else 0
        taken = _fitting(left, goal)
        if goal and not taken and len(left) > 1:
            smallest = min(left, key=len)
            taken = [smallest] if part == "validation" or len(smallest) <= MAX_OVERSHOOT * goal else []
        left = [group for group in left if group not in taken]
        result[part] = [index for group in taken for index in group]
    return result


def _fitting(groups: list[list[int]], goal: int) -> list[list[int]]:
    """The first groups that together do not exceed ``goal`` images, and leave one group over."""
    taken: list[list[int]] = []
    for group in groups:
        if sum(map(len, taken)) + len(group) <= goal and len(taken) < len(groups) - 1:
            taken.append(group)
    return taken
