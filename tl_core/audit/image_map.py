"""A map of all images of a dataset: two that look alike to the default backbone lie beside each other.

Principal components of the features, then t-SNE (van der Maaten and Hinton: Visualizing Data using t-SNE, JMLR 9
(2008), https://jmlr.org/papers/v9/vandermaaten08a.html; begun from the principal components as in Kobak and Berens,
Nature Communications 10 (2019), https://doi.org/10.1038/s41467-019-13056-x). t-SNE lays out some of the images,
the landmarks; each other one is put beside its nearest landmarks. In the same way images that come later find their
place on a map that exists, so that a change of ten images costs ten. Labels and splits have no part in it: a picture
that is moved to another class stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from tl_core.audit.features import BACKBONE, Features, FeatureSource, Rows, fit_of
from tl_core.audit.heads import compact
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.features.cache import ArraySpec, DiskCache, Key, open_cache
from tl_core.features.images import fit_in_key
from tl_core.machine.progress import UNATTENDED, TaskContext

Places = npt.NDArray[np.float32]
"""``(images, 2)``, each coordinate about 0-1."""

KIND: Final = "map"  # of cache entries
STOPPED: Final = "The map was stopped."
LANDMARKS: Final = 1500  # images that t-SNE lays out
PERPLEXITY: Final = 30.0  # about how many neighbours an image has
PASSES: Final = (12.0, 1.0)  # early exaggeration of each; a pass is 250 iterations, the fewest that TSNE does
NEAREST: Final = 5  # landmarks that an image is put beside
KNOWN_SHARE: Final = 0.7  # of the images; a map that knows fewer of them is laid out anew
_APART: Final = 0.0022  # of the map's side, between images that share their nearest landmark
_GOLDEN_ANGLE: Final = 2.39996  # radians: points on a spiral never lie behind each other
_BATCH: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class ImageMap:
    """Where each image of a dataset lies, and which ones look alike; by pixels, so that it outlives relabelling."""

    row_of: Mapping[str, int]  # `ImageRecord.pixels_sha256` -> row of what follows
    places: Places
    directions: Features  # (images, values): features, less their mean, of length 1

    def covers(self, dataset: Dataset) -> bool:
        """Whether every image of the dataset is on it."""
        return all(record.pixels_sha256 in self.row_of for record in dataset.images)

    def places_of(self, dataset: Dataset) -> Places:
        """The place of each image of a dataset that it covers."""
        return self.places[[self.row_of[record.pixels_sha256] for record in dataset.images]]

    def look_alikes(self, dataset: Dataset, record: ImageRecord, count: int) -> list[ImageRecord]:
        """The images of a dataset most like one of them, most alike first; without that one."""
        others = [image for image in dataset.images if image != record]
        rows = [self.row_of[image.pixels_sha256] for image in others]
        alike = self.directions[rows] @ self.directions[self.row_of[record.pixels_sha256]]
        return [others[place] for place in np.argsort(-alike, kind="stable")[:count]]


def make_map(dataset: Dataset, task: TaskContext = UNATTENDED) -> ImageMap:
    """The map of a dataset, with what the default backbone makes of its images.

    Args:
        task: gets the progress; checked for a stop.

    Raises:
        WeightsUnavailableError: the default backbone's weights are not here and cannot be downloaded.
        StoppedError: a stop was requested.
    """
    features = FeatureSource(dataset, task.part(0.0, 0.6)).read()
    values = compact(features)
    directions = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    row_of = {record.pixels_sha256: row for row, record in enumerate(dataset.images)}
    return ImageMap(row_of, lay_out(dataset, values, task.part(0.6, 1.0)), directions)


def lay_out(dataset: Dataset, values: Features, task: TaskContext = UNATTENDED) -> Places:
    """The place of every image on the map of this dataset; kept on the disk image by image.

    Args:
        values: principal components of the features of all images, in the dataset's order.
        task: gets the steps done and in all; checked for a stop.

    Raises:
        StoppedError: a stop was requested.
    """
    cache = open_cache(dataset.workspace)
    names = [record.pixels_sha256 for record in dataset.images]
    key, known = _newest_map(cache, dataset, names)
    known_rows = np.flatnonzero([name in known for name in names])
    known_places = np.asarray(cache.open_rows(KIND, key, [names[row] for row in known_rows])[0]) if known else None  # type: ignore[index]

    def fill(arrays: Sequence[npt.NDArray[Any]], places: Rows) -> None:
        if known_places is None:
            arrays[0][:] = _laid_out(values[places], task)
        else:
            arrays[0][:] = _beside(values[known_rows], known_places, values[places])

    found = cache.get_or_make_rows(KIND, key, names, [ArraySpec((2,), "float32")], fill)
    return np.asarray(found[0], np.float32) if found else _laid_out(values, task)


def _newest_map(cache: DiskCache, dataset: Dataset, names: Sequence[str]) -> tuple[Key, set[str]]:
    """The key of the map that knows most of these images, or of the next one, and the images that it knows."""
    number, seen = 0, fit_in_key(fit_of(dataset))
    while True:
        key: dict[str, Any] = {"dataset": dataset.id, "backbone": BACKBONE, "landmarks": LANDMARKS, "number": number}
        key |= seen
        known = set(cache.kept_rows(KIND, key, names)[1])
        if not known or len(known) >= KNOWN_SHARE * len(set(names)):
            return key, known
        number += 1


def _laid_out(values: Features, task: TaskContext) -> Places:
    order = np.random.default_rng(0).permutation(len(values))
    chosen, others = order[:LANDMARKS], order[LANDMARKS:]
    places = np.empty((len(values), 2), np.float32)
    places[chosen] = _landmarks(values[chosen], task)
    places[others] = _beside(values[chosen], places[chosen], values[others])
    return places


def _landmarks(values: Features, task: TaskContext) -> Places:
    """t-SNE in passes, between which it can be stopped; a handful of images lies as the components say."""
    places = np.zeros((len(values), 2), np.float32)
    places[:, : values.shape[1]] = values[:, :2]
    if len(values) > NEAREST:
        places *= 1e-4 / max(float(places.std(axis=0)[0]), 1e-9)
        perplexity = min(PERPLEXITY, (len(values) - 1) / 3)
        for number, exaggeration in enumerate(PASSES):
            task.stop_if_asked(STOPPED)
            task.report(number, len(PASSES), "Laying out the map")
            layout = TSNE(
                init=places, early_exaggeration=exaggeration, max_iter=250, perplexity=perplexity, random_state=0
            )
            with threadpool_limits(1):  # on a busy machine its threads would wait for each other most of the time
                places = layout.fit_transform(values)
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / max(float((high - low).max()), 1e-9), np.float32)


def _beside(landmarks: Features, places: Places, values: Features) -> Places:
    """Places for images among landmarks that have one: the nearest counts most by far."""
    found = np.empty((len(values), 2), np.float32)
    nearest = np.empty(len(values), np.int64)
    squares = (landmarks**2).sum(axis=1)
    count = min(NEAREST, len(landmarks))
    for start in range(0, len(values), _BATCH):
        part = values[start : start + _BATCH]
        distances = np.maximum(squares - 2 * part @ landmarks.T + (part**2).sum(axis=1, keepdims=True), 1e-6)
        close = np.argpartition(distances, count - 1, axis=1)[:, :count]
        far = np.take_along_axis(distances, close, axis=1)
        weights = (far.min(axis=1, keepdims=True) / far) ** 4
        weights /= weights.sum(axis=1, keepdims=True)
        found[start : start + len(part)] = (weights[..., None] * places[close]).sum(axis=1)
        nearest[start : start + len(part)] = close[np.arange(len(part)), far.argmin(axis=1)]
    turn = _place_in_group(nearest)
    radius = _APART * np.sqrt(turn + 1)
    offset = np.stack([np.cos(_GOLDEN_ANGLE * turn), np.sin(_GOLDEN_ANGLE * turn)], axis=1) * radius[:, None]
    return np.asarray(found + offset, np.float32)


def _place_in_group(groups: Rows) -> Rows:
    """For each entry how many equal ones stand before it."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered)
    turn = np.empty(len(groups), np.int64)
    turn[order] = np.arange(len(groups)) - first
    return turn
