"""How far the classes are apart after each block of a backbone, and which images excite each of its channels.

A linear classifier on the pooled output of every block, as Alain and Bengio do (Understanding intermediate layers
using linear classifier probes, 2016, https://arxiv.org/abs/1610.01644). It is a linear discriminant analysis with
the shrinkage of Ledoit and Wolf: solved, not iterated, so that the heads of all blocks take about a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from tl_core.audit.features import Features, Rows
from tl_core.audit.heads import FOLDS, Labels, compact, folds_of, side_by_side
from tl_core.audit.layers.block_outputs import STOPPED, BlockFeatures, read_block_features
from tl_core.backbones.registry import get_backbone
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.data.split import groups_of_images
from tl_core.errors import NotEnoughDataError
from tl_core.machine.progress import UNATTENDED, TaskContext

MOST_IMAGES: Final = 2000  # are looked at, as many of each class as can be; more change the figures little
FAVOURITES: Final = 8  # images that are named for every channel


@dataclass(frozen=True, slots=True)
class BlockProbe:
    """One block that ends in a map."""

    title: str
    end: int  # layers of the backbone up to its end
    accuracy: float  # 0-1, share of images whose class a line through this block's channels tells
    favourites: npt.NDArray[np.int64]  # (channels, up to 8) rows of `LayerStudy.images`, the most exciting first


@dataclass(frozen=True, slots=True)
class LayerStudy:
    """What the blocks of a backbone make of a dataset."""

    images: tuple[ImageRecord, ...]  # those looked at; none of the test images
    classes: int  # with enough images to be told apart
    chance: float  # 0-1, accuracy of always answering the largest class
    blocks: tuple[BlockProbe, ...]  # first to last

    def after(self, layers: int) -> BlockProbe | None:
        """The last block that lies whole within the first ``layers`` layers."""
        return next((block for block in reversed(self.blocks) if block.end <= layers), None)


def study_layers(
    dataset: Dataset,
    backbone: str,
    image_size: int | None = None,
    task: TaskContext = UNATTENDED,
    fit: str = "squeeze",
) -> LayerStudy:
    """Run images through a backbone once, and find out what each of its blocks knows of their classes.

    Args:
        dataset: whose training and validation images are looked at.
        image_size: of the images that the backbone gets, in pixels; None = its own.
        task: gets how far it is; checked for a stop.
        fit: what becomes of images that are not square: `tl_core.data.decoding.fit_to_square`.

    Raises:
        NotEnoughDataError: fewer than two classes have enough images.
        ConfigError: the backbone is unknown or the image size too small for it.
        WeightsUnavailableError: its weights are not here and cannot be downloaded.
        StoppedError: a stop was requested.
    """
    rows = chosen_rows(dataset)
    images = tuple(dataset.images[row] for row in rows)
    labels = np.unique([record.label for record in images], return_inverse=True)[1].astype(np.int64)
    size = get_backbone(backbone).checked_image_size(image_size)
    found = read_block_features(dataset, rows, backbone, size, task.part(0.0, 0.7), fit)
    folds = folds_of(labels, groups_of_images(images), np.random.default_rng(0))
    blocks = []

    def probe(features: BlockFeatures) -> BlockProbe:
        task.stop_if_asked(STOPPED)
        return _probe(features, labels, folds)

    with side_by_side() as pool:
        for at, block in enumerate(pool.map(probe, found)):
            blocks.append(block)
            task.part(0.7, 1.0).report(at + 1, len(found), "Asking what each block knows")
    chance = float(np.bincount(labels).max() / len(labels))
    return LayerStudy(images, int(labels.max()) + 1, chance, tuple(blocks))


def chosen_rows(dataset: Dataset, most: int = MOST_IMAGES) -> Rows:
    """Training and validation images in the order of the dataset: all of them, or as many of each class as can be.

    Classes with fewer images than there are folds are left out.

    Raises:
        NotEnoughDataError: fewer than two classes are left.
    """
    known: dict[int, list[int]] = {}
    for row, record in enumerate(dataset.images):
        if record.split != "test":
            known.setdefault(record.label, []).append(row)
    enough = {label: rows for label, rows in known.items() if len(rows) >= FOLDS}
    if len(enough) < 2:
        raise NotEnoughDataError(
            f"What the blocks know shows with at least two classes of {FOLDS} images to train on or to validate. "
            f"Received: {len(enough)} such {'class' if len(enough) == 1 else 'classes'}."
        )
    chosen: list[int] = []
    rng, left = np.random.default_rng(0), most
    for place, rows in enumerate(sorted(enough.values(), key=len)):
        share = max(FOLDS, left // (len(enough) - place))
        chosen += rows if len(rows) <= share else rng.choice(rows, share, replace=False).tolist()
        left = most - len(chosen)
    return np.array(sorted(chosen), np.int64)


def _probe(features: BlockFeatures, labels: Labels, folds: Labels) -> BlockProbe:
    # Many images may reach the ceiling of a ReLU6: then the one that reaches it in more places comes first.
    strongest = np.lexsort((-features.average, -features.most), axis=0)[:FAVOURITES].T
    return BlockProbe(features.block.title, features.block.end, _accuracy(features.average, labels, folds), strongest)


def _accuracy(values: Features, labels: Labels, folds: Labels) -> float:
    values, right = compact(values), 0
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        if outside.any():
            head = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(values[inside], labels[inside])
            right += int(np.sum(head.predict(values[outside]) == labels[outside]))
    return right / len(labels)
