"""Pictures of the same thing: saved again, mirrored, turned, or cropped.

What an import found (`tl_core.data.twins`) is among them. Mirrored and turned pictures are found by their difference
hash in all eight positions. Where that fails, as with smooth pictures, and for cropped ones, the nearest in the
backbone's features are laid over each other: the one, turned or made smaller, has to be found within the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.feature import match_template

from tl_core.audit.features import STOPPED, Features
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.data.similarity import near_hashes, near_pairs, perceptual_hash
from tl_core.data.twins import twin_groups
from tl_core.features.images import ImageRows
from tl_core.machine.progress import UNATTENDED, TaskContext

MAX_COMPARED: Final = 10_000  # images; in larger sets near duplicates are not searched for
NEIGHBOURS: Final = 5  # of each image that are looked at closely
ALIKE: Final = 0.2  # cosine of two images' features, less the mean of all, from which on they are looked at
MAX_PAIRS: Final = 3000  # that are looked at closely, those with the most similar features
SIDE: Final = 48  # pixels at which two pictures are laid over each other
CROPS: Final = (1.0, 0.9, 0.8, 0.7)  # of a side
SAME: Final = 0.93  # correlation of two pictures of the same thing
MIN_SPREAD: Final = 8.0  # grey levels; flatter pictures resemble every other flat one
_TURNS: Final = (None, *Image.Transpose)

Grey = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images that show the same."""

    first: ImageRecord
    second: ImageRecord
    kind: str  # copy, saved_again, turned, cropped; changed otherwise

    @property
    def leaks(self) -> bool:
        """Whether one is for training and the other is not."""
        return (self.first.split == "train") != (self.second.split == "train")


def find_look_alikes(
    dataset: Dataset, features: Features, images: ImageRows, task: TaskContext = UNATTENDED
) -> tuple[Pair, ...]:
    """Pairs of images that show the same, exact copies first.

    Args:
        features: of all images of the dataset, in its order.
        images: the same at any one size.
        task: checked for a stop.

    Raises:
        StoppedError: a stop was requested.
    """
    first_of: dict[str, int] = {}
    pairs: dict[tuple[int, int], str] = {}
    for row, record in enumerate(dataset.images):
        known = first_of.setdefault(record.pixels_sha256, row)
        if known != row:
            pairs[known, row] = "copy"
    rows = list(first_of.values())
    if 1 < len(rows) <= MAX_COMPARED:
        grey = _grey(images, rows, task)
        found = _laid_over(grey, features[rows], task) | _turned(grey) | _saved_again(dataset, rows)
        for (a, b), kind in found.items():
            pairs.setdefault((rows[a], rows[b]), kind)
    for group in twin_groups(dataset.images[row] for row in rows):
        first, *others = (first_of[image.pixels_sha256] for image in group)
        for other in others:
            pairs.setdefault((first, other), "changed")
    order = {"copy": 0, "saved_again": 1, "turned": 2, "cropped": 3, "changed": 4}
    return tuple(
        Pair(dataset.images[a], dataset.images[b], kind)
        for (a, b), kind in sorted(pairs.items(), key=lambda item: (order[item[1]], item[0]))
    )


def _grey(images: ImageRows, rows: Sequence[int], task: TaskContext) -> list[Image.Image]:
    found = []
    for start in range(0, len(rows), 64):
        task.stop_if_asked(STOPPED)
        for pixels in images.read(np.array(rows[start : start + 64])):
            found.append(Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))
    return found


def _saved_again(dataset: Dataset, rows: Sequence[int]) -> dict[tuple[int, int], str]:
    """The pairs that the health report has, too: their stored hashes are near."""
    places = [place for place, row in enumerate(rows) if dataset.images[row].perceptual_hash]
    pairs = near_pairs([dataset.images[rows[place]].perceptual_hash for place in places])
    return {(places[first], places[second]): "saved_again" for first, second in pairs}


def _turned(grey: Sequence[Image.Image]) -> dict[tuple[int, int], str]:
    """Pairs of which the one is the other, as it is or in another of the eight positions."""
    hashes = [perceptual_hash(image) for image in grey]
    found: dict[tuple[int, int], str] = {}
    for turn in _TURNS:
        other = hashes if turn is None else [perceptual_hash(image.transpose(turn)) for image in grey]
        for a, b in near_hashes(hashes, other):
            if a != b:
                found.setdefault((min(a, b), max(a, b)), "saved_again" if turn is None else "turned")
    return found


def _laid_over(grey: Sequence[Image.Image], features: Features, task: TaskContext) -> dict[tuple[int, int], str]:
    """Pairs of neighbours of which the one, turned or made smaller, lies within the other."""
    levels = [np.asarray(image, np.float32) for image in grey]
    found: dict[tuple[int, int], str] = {}
    for a, b in _neighbours(features):
        task.stop_if_asked(STOPPED)
        if min(levels[a].std(), levels[b].std()) < MIN_SPREAD:
            continue
        if _correlation_turned(grey[a], grey[b]) >= SAME:
            found[a, b] = "turned"
        elif max(_overlap(levels[a], levels[b]), _overlap(levels[b], levels[a])) >= SAME:
            found[a, b] = "cropped"
    return found


def _correlation_turned(one: Image.Image, other: Image.Image) -> float:
    """The best correlation of two pictures of equal size, of the second in all eight positions."""
    turned = [np.asarray(other if turn is None else other.transpose(turn)).ravel() for turn in _TURNS]
    return float(np.corrcoef(np.asarray(one).ravel(), turned)[0, 1:].max())


def _neighbours(features: Features) -> list[tuple[int, int]]:
    centred = features - features.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    count = min(NEIGHBOURS, len(centred) - 1)
    pairs: dict[tuple[int, int], float] = {}
    for start in range(0, len(centred), 512):
        cosine = centred[start : start + 512] @ centred.T
        cosine[np.arange(len(cosine)), start + np.arange(len(cosine))] = -1
        nearest = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
        for row, others in enumerate(nearest, start):
            for other in others.tolist():
                if (alike := float(cosine[row - start, other])) >= ALIKE:
                    pairs[min(row, other), max(row, other)] = alike
    return sorted(pairs, key=pairs.__getitem__, reverse=True)[:MAX_PAIRS]


def _overlap(whole: Grey, part: Grey) -> float:
    """The best correlation of ``part``, made smaller, with a place of ``whole``, as it is or mirrored."""
    best = -1.0
    for crop in CROPS:
        side = round(crop * SIDE)
        small = np.asarray(Image.fromarray(part).resize((side, side), Image.Resampling.BILINEAR))
        for piece in (small, small[:, ::-1]):
            best = max(best, float(match_template(whole, piece).max()))
            if best >= SAME:
                return best
    return best
