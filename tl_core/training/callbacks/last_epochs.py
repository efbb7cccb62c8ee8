"""Saves the last epochs beside the best one, if the configuration says so."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Final

import keras

from tl_core.config.phases import FINE_TUNE
from tl_core.models.classifier import Classifier
from tl_core.models.load import weights_of_backbone, weights_of_head
from tl_core.runs import RunFolder
from tl_core.runs.epoch_checkpoints import (
    EpochCheckpoint,
    Weights,
    epoch_checkpoints,
    save_epoch,
    save_epoch_backbone,
    save_epoch_list,
)
from tl_core.training.trainer import Callback, EpochLogs, Trainer

WRITE_INTERVAL: Final = 1.0  # seconds between two writings: short epochs wait in memory, and many are never written


class LastEpochsCheckpoint(Callback):
    """The last epochs of one training.

    An epoch of feature extraction is its head alone. One of fine-tuning is the head with the layers of the backbone
    that are trained. So where the backbone stays frozen, ten epochs take less space than the model.
    """

    def __init__(self, folder: RunFolder, classifier: Classifier, count: int, next_epoch: int) -> None:
        """Save ``count`` epochs, or none; epochs from ``next_epoch`` on will be trained again."""
        self._folder = folder
        self._classifier = classifier
        self._count = count
        self._kept: deque[EpochCheckpoint] = deque(maxlen=count)
        self._waiting: deque[tuple[int, str, float, Weights]] = deque(maxlen=count)  # as `save_epoch` takes them
        self._written = 0.0
        self._kept.extend(entry for entry in epoch_checkpoints(folder) if entry.epoch < next_epoch)
        save_epoch_list(folder, tuple(self._kept))

    def needs_model(self) -> bool:
        """Whether the best model has to be on the disk, because the epochs are nothing without it."""
        return self._count > 0 and not self._folder.model_file.exists()

    def on_phase_begin(self, trainer: Trainer) -> None:
        """Before fine-tuning keep the layers that will change as the epochs so far have them."""
        if trainer.phase.name != FINE_TUNE or trainer.resumed:
            return
        self._write()
        if self._kept:
            save_epoch_backbone(self._folder, weights_of_backbone(self._classifier, trainer.phase.frozen_layers))

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        """Hold an epoch in memory, and now and then write what is held."""
        if not self._count:
            return
        weights = weights_of_head(self._classifier)
        if trainer.phase.name == FINE_TUNE:
            weights |= weights_of_backbone(self._classifier, trainer.phase.frozen_layers)
        self._waiting.append((epoch, trainer.phase.name, logs.validation.accuracy, weights))
        if time.monotonic() - self._written >= WRITE_INTERVAL:
            self._write()

    def on_train_end(self, trainer: Trainer) -> None:
        self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        for entry in self._waiting:
            self._kept.append(save_epoch(self._folder, *entry))
        save_epoch_list(self._folder, tuple(self._kept))
        self._waiting.clear()
        self._written = time.monotonic()


def bytes_needed(classifier: Classifier, frozen_layers: int, count: int) -> int:
    """What ``count`` saved epochs take on the disk at most, if the last phase freezes so many layers."""

    def size(layers: Iterable[keras.Layer]) -> int:
        weights = (weight.value for layer in layers for weight in layer.weights)
        return sum((weight.shape.num_elements() or 1) * weight.dtype.size for weight in weights)

    tail = size(classifier.base.layers[frozen_layers:])
    return count * (size([classifier.head]) + tail) + (tail if count else 0)  # and the tail once as it was before
