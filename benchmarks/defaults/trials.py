"""One trial: a head trained on the frozen features of some images of a set, by the product's own trainer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from benchmarks.defaults.image_sets import Draw, Images, ImageSet, Indices
from tl_core.backbones.build import build_backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.scaling import build_scaling
from tl_core.config import TrainingConfig
from tl_core.config.phases import phases_of
from tl_core.data.normalise import resize_image
from tl_core.features.compiled import compile_network
from tl_core.features.partition import TrainedPart
from tl_core.machine.device import use_device
from tl_core.models.head import build_head
from tl_core.training.callbacks.best_model import BestModel
from tl_core.training.callbacks.early_stopping import EarlyStopping
from tl_core.training.inputs import CachedFeatures, PhaseData, Subset
from tl_core.training.losses import Loss
from tl_core.training.trainer import Callback, FitSettings, Trainer

BACKBONE: Final = "efficientnet_lite0"
_CHUNK: Final = 64  # images resized and computed at a time

Features = npt.NDArray[np.float32]  # (n, 1, 1, channels): average-pooled, as a feature map of one place


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a trial."""

    accuracy: float  # of the best epoch's model on the test images, 0-1
    log_loss: float  # mean -log of the probability that model gives the right class (natural logarithm)
    last_accuracy: float  # of the last epoch's model on the same images
    best_epoch: int
    seconds: float  # of training


def compute_features(images: Images) -> Features:
    """Average-pooled features of the frozen backbone for uint8 RGB images of any size."""
    device = use_device("float32")
    backbone = get_backbone(BACKBONE)
    base, scale = build_backbone(BACKBONE), build_scaling(backbone.scaling, backbone.image_size)

    def forward(batch: Any) -> list[Any]:
        maps = base(scale(keras.ops.cast(batch, "float32")), training=False)
        return [keras.ops.mean(maps, axis=(1, 2), keepdims=True)]

    network = compile_network(forward, backbone.image_size, device)
    return np.concatenate([network(chunk)[0] for chunk in _resized(images, backbone.image_size)])


def _resized(images: Images, size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Chunks of images as the product resizes them, ``(m, size, size, 3)``."""
    for start in range(0, len(images), _CHUNK):
        yield np.stack([resize_image(image, size) for image in images[start : start + _CHUNK]])


class _LastAccuracy(Callback):
    """Measures the model of the last epoch, before the weights of the best one are restored."""

    def __init__(self, test: Subset) -> None:
        self._test = test
        self.accuracy = 0.0

    def on_phase_end(self, trainer: Trainer) -> None:
        """Measure."""
        self.accuracy = trainer.evaluate(self._test).accuracy


def train_head(config: TrainingConfig, images: ImageSet, features: Features, drawn: Draw) -> Outcome:
    """Train a head and measure it on the test images.

    Args:
        config: the head and how to train it; its seed decides weights, order of the images and dropout.
        images: the set.
        features: of its images.
        drawn: which of them are trained on, validated on and tested on.
    """

    def subset(rows: Indices) -> Subset:
        labels = images.labels[rows].astype(np.int32)
        return Subset(CachedFeatures([features]), rows, labels, np.ones(len(rows), np.float32))

    keras.utils.set_random_seed(config.seed)
    classes = len(images.classes)
    part = TrainedPart([], build_head(config.head, features.shape[1:], classes))
    train, test = subset(drawn.train), subset(drawn.test)
    last = _LastAccuracy(test)
    settings = FitSettings(config.batch_size, config.optimizer, config.weight_decay, config.schedule, config.seed)
    loss = Loss(config.head.output, classes, config.label_smoothing)
    trainer = Trainer(settings, loss, [last, BestModel(), EarlyStopping(config.early_stopping_patience)])
    began = time.perf_counter()
    trainer.fit(phases_of(config)[0], PhaseData(part, lambda _: train, subset(drawn.validation)))
    seconds = time.perf_counter() - began
    kept = trainer.evaluate(test)
    assert trainer.best is not None  # a phase has an epoch
    right = kept.probabilities[np.arange(len(test.labels)), test.labels]
    return Outcome(
        accuracy=kept.accuracy,
        log_loss=float(-np.log(np.maximum(right, np.finfo(np.float32).eps)).mean()),
        last_accuracy=last.accuracy,
        best_epoch=trainer.best.epoch,
        seconds=seconds,
    )
