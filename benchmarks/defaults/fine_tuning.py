"""Trials of the second phase: the last blocks of the backbone learn too, on stored outputs of the blocks before."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from benchmarks.defaults.features import BACKBONE, Features, cache_folder, resized
from benchmarks.defaults.image_sets import ImageSet, Indices
from benchmarks.defaults.sampling import Draw
from benchmarks.defaults.trials import Outcome, Trial
from tl_core.backbones.build import build_backbone
from tl_core.config import TrainingConfig
from tl_core.config.phases import phases_of
from tl_core.features.compiled import compile_network
from tl_core.features.partition import partition_classifier
from tl_core.machine.device import use_device
from tl_core.models.classifier import Classifier, build_classifier
from tl_core.models.freezing import freeze_layers
from tl_core.storage.files import replacing
from tl_core.training.data import CachedFeatures

DEPTHS: Final = {
    "last convolution": "top_conv",
    "last block": "block7a_expand_conv",
    "last two blocks": "block6a_expand_conv",
}
"""How deep fine-tuning reaches, and the first layer that then learns."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPhases:
    """What feature extraction gave, and what was kept after fine-tuning."""

    head: Outcome
    tuned: Outcome  # of the better of the two phases by validation loss, as the product keeps it

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TwoPhases:
        """Read plain values."""
        return cls(**{name: Outcome.from_dict(outcome) for name, outcome in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Activations:
    """Outputs of the frozen blocks for some images of a set."""

    array: Array  # (n, h, w, channels) float32, all images of the set; rows not asked for are zero
    frozen_layers: int


def frozen_layers_of(base: keras.Model, depth: str) -> int:
    """How many layers stay frozen at a depth of `DEPTHS`."""
    return [layer.name for layer in base.layers].index(DEPTHS[depth])


def load_activations(images: ImageSet, depth: str, rows: Indices) -> Activations:
    """Read the outputs at a depth for these images, or compute and keep them."""
    base = build_backbone(BACKBONE)
    classifier = build_classifier(TrainingConfig(backbone=BACKBONE), len(images.classes), base)
    frozen_layers = frozen_layers_of(base, depth)
    name = f"{images.description.name}-{images.fingerprint[:16]}-{frozen_layers}.npz"
    path = cache_folder() / name
    known_rows, values = _read(path)
    missing = np.setdiff1d(rows, known_rows)
    if len(missing):
        computed = _compute(classifier, frozen_layers, images, missing)
        values = np.concatenate([values, computed]) if len(known_rows) else computed
        known_rows = np.concatenate([known_rows, missing])
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, rows=known_rows, values=values)
    array = np.zeros((len(images.images), *values.shape[1:]), np.float32)
    array[known_rows] = values
    return Activations(array, frozen_layers)


def try_both_phases(
    config: TrainingConfig, images: ImageSet, features: Features, cut: Activations, drawn: Draw, judged: Indices
) -> TwoPhases:
    """Train the head, then the last layers of the backbone with it, as the product does.

    Args:
        config: both phases; how deep is told by ``cut``.
        images: the set.
        features: average-pooled features of its images.
        cut: outputs of the layers that stay frozen, for all images of ``drawn`` and ``judged``.
        drawn: the images to learn from and to watch.
        judged: the images to be judged by.
    """
    keras.utils.set_random_seed(config.seed)
    config = replace(config, frozen_layers=cut.frozen_layers)
    classes = len(images.classes)
    classifier = build_classifier(config, classes, build_backbone(BACKBONE))
    phases = phases_of(config)
    pooled = CachedFeatures([getattr(features, config.head.pooling)])
    trial = Trial(config, pooled, images.labels, classes, drawn, judged)
    trainer, outcomes = trial.trainer(), []
    for phase, inputs in zip(phases, (pooled, CachedFeatures([cut.array])), strict=True):
        freeze_layers(classifier.base, phase.frozen_layers)
        part = partition_classifier(classifier, phase.frozen_layers).trained
        outcomes.append(replace(trial, inputs=inputs).fit(trainer, phase, part))
    return TwoPhases(head=outcomes[0], tuned=outcomes[1])


def _read(path: Path) -> tuple[Indices, Array]:
    if not path.is_file():
        return np.empty(0, np.int64), np.empty(0, np.float32)
    with np.load(path, allow_pickle=False) as kept:
        return kept["rows"], kept["values"]


def _compute(classifier: Classifier, frozen_layers: int, images: ImageSet, rows: Indices) -> Array:
    partition = partition_classifier(classifier, frozen_layers)
    if partition.frozen is None or len(partition.outputs) != 1:
        raise ValueError("the cut must be one tensor behind the input")
    network = compile_network(partition.frozen, classifier.image_size, use_device("float32"))
    chosen = [images.images[row] for row in rows]
    return np.concatenate([network(chunk)[0] for chunk in resized(chosen, classifier.image_size)])
