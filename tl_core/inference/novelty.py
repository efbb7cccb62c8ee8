"""Pictures unlike anything a model was taught: far from every training image in what the model sees of them.

The distance to the nearest training image (Sun et al., *Out-of-Distribution Detection with Deep Nearest Neighbors*,
ICML 2022, arXiv 2204.06507) between features of length 1, of two depths (see `tl_core.models.taps`). Known images lie
closer together in one depth than in the other, so each is measured in its own unit: how far apart they are in it. The
limit comes from validation images, which the head did not learn from: so many of them are to be nearer (conformal
prediction's quantile). Training images are kept as principal components, and what these leave out counts as distance,
so that all of it is small enough to go along with an exported model, whose program does the same in a few lines of
NumPy.
"""

from __future__ import annotations

import logging
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.errors import DatasetNotFoundError
from tl_core.runs import RunRecord, dataset_of
from tl_core.runs.record import RunFolder
from tl_core.storage.files import replacing

logger = logging.getLogger(__name__)

Features = npt.NDArray[np.float32]
"""``(n, values)``, each row of length 1; see `joined`."""
Numbers = npt.NDArray[Any]

MOST_ROWS: Final = 1000  # training images that are kept
MOST_HELD_OUT: Final = 1000  # validation images that are asked
COMPONENTS: Final = 64
ROOM: Final = 0.5  # of the largest distance, added to it where there is next to no validation image
_SMALLEST: Final = 1e-12
_SAME: Final = 1e-3  # of the length of the features: distances below it are rounding
_NOTHING: Final = 1e-6  # of the largest variance: below it a component is rounding alone


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """What one model was taught, to tell what is unlike it."""

    model_sha256: Numbers  # of the model, as text
    mean: Numbers  # (values,)
    scale: Numbers  # (values,), by which what differs from the mean is multiplied: the same within a depth
    components: Numbers  # (components, values), of length 1
    rows: Numbers  # (kept, components), float16: training images
    labels: Numbers  # (kept,), the place of each one's class
    images: Numbers  # (kept,), their files in the dataset, as text
    held_out: Numbers  # (validation images,), their distances in rising order

    def measure(self, features: Features) -> tuple[Numbers, Numbers]:
        """Distance to the nearest training image that is kept, and that image's place; each ``(n,)``."""
        centred = (features - self.mean) * self.scale
        inside = centred @ self.components.T
        outside = np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
        kept = self.rows.astype(np.float32)
        squares = (inside**2).sum(axis=1)[:, None] + (kept**2).sum(axis=1) - 2 * inside @ kept.T
        nearest = squares.argmin(axis=1)
        least = np.maximum(squares[np.arange(len(nearest)), nearest], 0)
        return np.sqrt(least + outside), nearest

    def limit(self, accepted: float) -> float:
        """The distance beyond which a picture is unlike everything.

        Args:
            accepted: share of pictures of known things that are to be within it, 0-1; 1 = all there are.
        """
        if accepted >= 1:
            return math.inf
        images, needed = len(self.held_out), images_for(accepted)
        if images >= needed:
            place = math.ceil(round((images + 1) * accepted, 6))
            return max(_SMALLEST, float(self.held_out[place - 1]))
        # Each image that is there makes it likelier that the farthest known thing has been seen.
        return max(_SMALLEST, float(self.held_out[-1]) * (1 + ROOM * (1 - images / needed)))

    def enough_for(self, accepted: float) -> bool:
        """Whether there are validation images enough for that share."""
        return len(self.held_out) >= images_for(accepted)


def images_for(accepted: float) -> int:
    """How many validation images tell where that share ends: 19 for 95 %, 49 for 98 %, 99 for 99 %."""
    return math.ceil(round(accepted / (1 - accepted), 6))


def joined(parts: Sequence[Numbers]) -> Features:
    """Features of several depths, ``(n, values)`` each, as one of length 1 in which each counts the same."""
    units = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), _SMALLEST) for part in parts]
    return np.asarray(np.concatenate(units, axis=1) / math.sqrt(len(units)), np.float32)


def evenly(labels: Sequence[int] | Numbers, count: int) -> npt.NDArray[np.int64]:
    """Places of at most ``count`` images, of every class in its share; ``labels`` are their classes."""
    order = np.argsort(np.asarray(labels), kind="stable")
    return order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(np.int64)]


def fit_novelty(
    taught: Features,
    labels: Numbers,
    images: Sequence[str],
    held_out: Features,
    model_sha256: str,
    depths: Sequence[int],
) -> Novelty:
    """Learn what is known.

    Args:
        taught: of training images, at least one.
        labels: ``(n,)``, their classes.
        images: their files.
        held_out: of validation images, at least one.
        model_sha256: of the model that saw them.
        depths: how many values of the features are of each depth.
    """
    mean, scale = taught.mean(axis=0), _scale(taught, held_out, depths)
    centred = (taught - mean) * scale
    components = _directions(centred)
    rows = (centred @ components.T).astype(np.float16)
    known = Novelty(
        np.array(model_sha256), mean, scale, components, rows, np.asarray(labels), np.array(list(images)), np.empty(0)
    )
    distances, _ = known.measure(held_out)
    values = {field.name: getattr(known, field.name) for field in fields(known)}
    return Novelty(**{**values, "held_out": np.sort(distances)})


def save_novelty(folder: RunFolder, novelty: Novelty) -> None:
    """Write it beside the model of a run.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    with replacing(folder.novelty_file) as temporary, temporary.open("wb") as file:
        np.savez(file, **{field.name: getattr(novelty, field.name) for field in fields(novelty)})


def knows(folder: RunFolder, model_sha256: str | None) -> bool:
    """Whether it was learned what this very model was taught."""
    try:
        with np.load(folder.novelty_file, allow_pickle=False) as file:
            return str(file["model_sha256"]) == model_sha256
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False


def _scale(taught: Features, held_out: Features, depths: Sequence[int]) -> Features:
    """Of every value: one over the median distance of known images in its depth, all depths together about 1.

    Only how the depths compare is meant, so that their geometric mean is 1. Where known images do not differ in one
    of them, all count the same.
    """
    ends = np.cumsum(depths)
    parts = [slice(end - size, end) for size, end in zip(depths, ends, strict=True)]
    medians = np.array([_median_distance(taught[:, part], held_out[:, part]) for part in parts])
    if (medians < _SAME).any():
        return np.ones(taught.shape[1], np.float32)
    return np.repeat(np.exp(np.log(medians).mean()) / medians, depths).astype(np.float32)


def _median_distance(taught: Features, held_out: Features) -> float:
    """The median of the distances from validation images to the nearest training image."""
    squares = (held_out**2).sum(axis=1)[:, None] + (taught**2).sum(axis=1) - 2 * held_out @ taught.T
    return math.sqrt(max(0.0, float(np.median(squares.min(axis=1)))))


def _directions(centred: Numbers) -> Features:
    """The principal components, of length 1, the largest first: from the images' products, of which there are few."""
    squares, images = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    largest = np.argsort(-squares, kind="stable")[:COMPONENTS]
    largest = largest[squares[largest] > _NOTHING * max(_SMALLEST, squares[-1])]
    return np.asarray((images[:, largest] / np.sqrt(squares[largest])).T @ centred, np.float32)


def refuses_unlike(run: RunRecord, accepted: float) -> bool:
    """Whether its best model refuses pictures unlike its images: it knows these, or will before it answers."""
    if accepted >= 1 or run.active or not run.model_sha256:
        return False
    return knows(run.folder, run.model_sha256) or can_learn(run)


def can_learn(run: RunRecord) -> bool:
    """Whether there are images to learn from what its model was taught."""
    try:
        dataset = dataset_of(run)
    except DatasetNotFoundError:
        return False
    return bool(run.model_sha256 and dataset.of_split("train") and dataset.of_split("validation"))


def load_novelty(folder: RunFolder, model_sha256: str | None) -> Novelty | None:
    """What was learned of this very model; None where nothing was, or the file is damaged."""
    novelty = read_novelty(folder.novelty_file)
    return novelty if novelty is not None and str(novelty.model_sha256) == model_sha256 else None


def read_novelty(path: Path) -> Novelty | None:
    """The content of a file; None where there is none, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {field.name: file[field.name] for field in fields(Novelty) if field.name in file}
            return Novelty(**{"scale": np.ones(len(file["mean"]), np.float32), **found})  # of an earlier version
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        logger.warning("What a model was taught cannot be read and is learned again: %s", error)
        return None
