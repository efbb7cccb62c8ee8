"""Predictions of the model in training for the watched images, epoch by epoch.

The frozen layers run on them once per phase; after an epoch only the trained part predicts, in inference mode. No
graph is compiled for so few images, nothing random is drawn, and a run without watched images does none of it.
"""

from __future__ import annotations

import tensorflow as tf

from tl_core.data.normalise import Reading
from tl_core.errors import ImageError
from tl_core.models.probabilities import as_class_probabilities
from tl_core.runs import RunFolder
from tl_core.runs.watched_images import Images, read_pictures, watched_images
from tl_core.training.callbacks.event_log import EventLogger
from tl_core.training.trainer import Callback, EpochLogs, Trainer


class WatchedImages(Callback):
    """Predicts the images that a person watches."""

    def __init__(self, folder: RunFolder, reading: Reading, log: EventLogger) -> None:
        self._log = log
        self._images: Images | None = None  # at the input size of the network; None where there are none
        try:
            if pictures := watched_images(folder):
                self._images = read_pictures(pictures, reading)
        except ImageError as error:  # does not stop the training
            log.note(f"The watched images are left out: {error}")
        self._inputs: list[tf.Tensor] = []

    def on_phase_begin(self, trainer: Trainer) -> None:
        if self._images is None:
            return
        images, frozen = tf.constant(self._images), trainer.data.frozen
        seen = [images] if frozen is None else frozen(images)
        self._inputs = [tf.cast(tensor, tf.float32) if tensor.dtype.is_integer else tensor for tensor in seen]

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        if self._images is not None:
            probabilities = trainer.data.trained(self._inputs, training=False).numpy()
            self._log.watched(epoch, as_class_probabilities(probabilities))
