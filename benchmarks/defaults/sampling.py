"""Which images a trial learns from, watches, is chosen by, and is finally tested on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from benchmarks.defaults.image_sets import ImageSet, Indices

SIZES: Final[tuple[int | None, ...]] = (10, 40, None)  # training images per class; None = all of the pool
SEEDS: Final = (1, 2, 3)
WATCHED_SHARE: Final = 0.15 / 0.70  # validation images per training image, as the product splits
MIN_WATCHED: Final = 2  # per class
IMBALANCE: Final = 10.0  # times as many training images in the largest class as in the smallest


@dataclass(frozen=True, slots=True)
class Draw:
    """Positions of images in a set; no image is in two of the four."""

    train: Indices
    watched: Indices  # the run's own validation images, by which it keeps its best epoch
    development: Indices  # settings are chosen by these
    test: Indices  # looked at once, with the settings that were chosen


def draw(images: ImageSet, size: int | None, seed: int) -> Draw:
    """Draw the images of one trial.

    Args:
        images: the set.
        size: training images of each class; None = all.
        seed: another seed draws other training and watched images; the test images are always all of the pool.
    """
    rng = np.random.default_rng(seed)
    parts: list[tuple[Indices, ...]] = []
    for label in range(len(images.classes)):
        train = rng.permutation(images.of_pool("train", label))[:size]
        validation = rng.permutation(images.of_pool("validation", label))
        watched = min(len(validation) // 2, max(MIN_WATCHED, round(len(train) * WATCHED_SHARE)))
        parts.append((train, validation[:watched], validation[watched:], images.of_pool("test", label)))
    return Draw(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def thinned(images: ImageSet, drawn: Draw, seed: int, ratio: float = IMBALANCE) -> Draw:
    """Make training and watched images unbalanced; those to be judged by stay as they are.

    The share that each class keeps falls evenly on a log scale from 1 to ``1 / ratio``; which class comes first
    depends on ``seed``. Every class keeps at least one image of both kinds.
    """
    order = np.random.default_rng([seed, 1]).permutation(len(images.classes))
    shares = ratio ** -np.linspace(0, 1, len(order))

    def thin(rows: Indices) -> Indices:
        kept = [
            mine[: max(1, round(len(mine) * share))]
            for label, share in zip(order, shares, strict=True)
            for mine in [rows[images.labels[rows] == label]]
        ]
        return np.concatenate(kept)

    return replace(drawn, train=thin(drawn.train), watched=thin(drawn.watched))
