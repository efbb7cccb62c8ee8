"""One model, compiled and held in memory: images in, probabilities and what the model sees of them out.

It is made from the checkpoint file, never from a model in training.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.data.normalise import Reading
from tl_core.errors import ConfigError, ModelUnavailableError
from tl_core.features.compiled import compile_network
from tl_core.inference.novelty import Features, Novelty, joined
from tl_core.inference.pool import ModelPool
from tl_core.machine.device import find_device
from tl_core.models.classifier import as_list, split_classifier
from tl_core.models.load import load_stored
from tl_core.models.probabilities import Probabilities, as_class_probabilities
from tl_core.models.taps import tapped_classifier, tapped_layer
from tl_core.runs import RunRecord

logger = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]

POOL_SIZE: Final = 4  # predictors held in memory; each holds one model in memory


@dataclass(frozen=True, slots=True)
class Predictor:
    """One model, compiled; may be used by several threads."""

    classes: tuple[str, ...]
    reading: Reading  # how it gets its pictures
    network: Callable[[Images], list[npt.NDArray[Any]]]  # outputs, each ``(n, ...)``: of the tapped classifier
    depths: tuple[int, ...] = ()  # how many values it sees of an image in each depth
    known: Novelty | None = None  # what it was taught, if that was learned
    at_once: int = 1  # calls that the network computes side by side; further ones wait

    @property
    def image_size(self) -> int:
        """Width and height of the images it takes, in pixels."""
        return self.reading.size

    def predict(self, images: Images) -> Probabilities:
        """Probabilities ``(n, classes)`` for ``(n, image_size, image_size, 3)`` uint8 RGB images."""
        return self.look(images)[0]

    def look(self, images: Images) -> tuple[Probabilities, Features | None]:
        """As `predict`, with what it sees of the images, for `Novelty`; None where the model does not give that."""
        if not len(images):
            return np.empty((0, len(self.classes)), np.float32), None
        probabilities, *seen = self.network(images)
        return as_class_probabilities(probabilities), joined(seen) if seen else None


def compile_predictor(
    run: RunRecord,
    epoch: int | None = None,
    *,
    precision: str = "float32",
    sample: Images | None = None,
    note: Callable[[str], None] = logger.info,
    at_once: int = 1,
) -> Predictor:
    """Compile a model that a run has stored, without the pool.

    Args:
        epoch: one of its saved epochs; None = the best one.
        precision: float32 gives the same probabilities on every machine; auto takes bfloat16 where the CPU has it and
            the model proves close to float32 on the sample.
        sample: ``(n, image_size, image_size, 3)`` uint8 RGB; without one it is float32.
        note: told in a sentence in what the model computes, where that is not float32, and why not where it could.
        at_once: batches that are computed side by side, see `compile_network`.

    Raises:
        ModelUnavailableError: the run has no model yet, the epoch is not saved, or a file is damaged.
    """
    model = load_stored(run, epoch)
    size = int(model.input_shape[1])

    seeing = _with_what_it_sees(model, run.config.backbone)

    def forward(images: tf.Tensor) -> list[tf.Tensor]:
        return as_list(seeing(tf.cast(images, tf.float32), training=False))

    network = compile_network(
        forward, size, find_device(precision), batch_size=None, sample=sample, note=note, at_once=at_once
    )
    depths = tuple(int(seen.shape[-1]) for seen in seeing.outputs[1:])
    reading = Reading(size, run.config.fit, run.decoding)
    return Predictor(run.classes, reading, network, depths, at_once=network.at_once)


def _with_what_it_sees(model: keras.Model, backbone: str) -> keras.Model:
    """The model with its features as further outputs; itself where it has no backbone that is known here."""
    try:
        classifier = split_classifier(model)
        return tapped_classifier(classifier, tapped_layer(backbone, classifier.base))
    except (ConfigError, ModelUnavailableError):
        return model


open_predictor: Final = ModelPool(POOL_SIZE, compile_predictor).open
"""The compiled model of a run, from the pool if it is warm; see `ModelPool.open`."""
