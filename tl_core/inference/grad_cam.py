"""Grad-CAM: heatmaps of the evidence for a class in a photograph.

Grad-CAM (Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391): the channels of a feature map are weighed by
the mean gradient of the class score with respect to them, added up, and negative evidence is cut off. The
score is the one before the softmax, whose gradient does not vanish where the model is certain. Of a transformer the
tokens of the patches are the map; the class token, which the head does not look at, has no place in the picture.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image as PillowImage

from tl_core.backbones.block_maps import as_map, end_of_block
from tl_core.backbones.make_outlines import outline_in_model
from tl_core.data.normalise import Reading
from tl_core.errors import ConfigError
from tl_core.inference.pool import ModelPool
from tl_core.models.classifier import Classifier, as_list, beside, flipped, split_classifier
from tl_core.models.load import load_stored
from tl_core.models.probabilities import as_class_probabilities
from tl_core.runs import RunRecord

Image = npt.NDArray[np.uint8]
Heat = npt.NDArray[np.float32]

HeatGraph = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""Image ``(1, s, s, 3)`` and class (-1: the most probable) to heat ``(1, h, w)`` and probabilities."""

_SIDE: Final = 224  # of a heatmap that is laid over a picture which is not square
POOL_SIZE: Final = 2  # in memory, each with a whole model


@dataclass(frozen=True, slots=True)
class Heatmap:
    """The evidence for one class in one photograph."""

    heat: Heat  # (h, w) of the feature map, 0-1, 1 where most speaks for the class; all 0 where nothing does
    block: str  # title of the block whose output was used
    label: int  # index of the class
    probability: float  # the model's probability of it


class GradCam:
    """The model of one run, ready to explain predictions."""

    def __init__(self, run: RunRecord, classifier: Classifier) -> None:
        self._run = run
        self._classes = run.classes
        self._classifier = classifier
        self._places = _places(run, classifier.base)
        self._graphs: dict[str, HeatGraph] = {}
        self._lock = threading.Lock()

    @property
    def blocks(self) -> tuple[str, ...]:
        """Titles of the blocks that have heatmaps; the first respond to edges, the last to parts of objects."""
        return tuple(self._places)

    @property
    def image_size(self) -> int:
        """Width and height of the images it takes, in pixels."""
        return self._classifier.image_size

    @property
    def decoding(self) -> int:
        """How it gets its pictures decoded: `tl_core.data.decoding.DECODING`."""
        return self._run.decoding

    def explain_picture(self, picture: Image, label: int | None = None, block: str | None = None) -> Heatmap:
        """As `explain`, for a picture ``(height, width, 3)`` of any shape, over the whole of which the heat lies."""
        reading = Reading(self.image_size, self._run.config.fit)
        found = self.explain(reading.of_pixels(picture), label, block)
        return replace(found, heat=_over_picture(found.heat, picture.shape[:2], reading.fit))

    def explain(self, image: Image, label: int | None = None, block: str | None = None) -> Heatmap:
        """Find the evidence for a class.

        Args:
            image: ``(image_size, image_size, 3)`` RGB.
            label: index of the class; None = the most probable one.
            block: a title of `blocks`; None = the last one.

        Raises:
            ConfigError: there is no such class or block.
        """
        block = block or self.blocks[-1]
        if block not in self._places:
            raise ConfigError(f"There is no block “{block}” to look at. There are: {', '.join(self.blocks)}.")
        if label is not None and not 0 <= label < len(self._classes):
            raise ConfigError(f"The class must be 0 to {len(self._classes) - 1}. Received: {label}.")
        with self._lock:
            if block not in self._graphs:
                self._graphs[block] = self._graph(block)
            heat, probabilities = self._graphs[block](
                tf.constant(image[None]), tf.constant(-1 if label is None else label)
            )
        values = as_class_probabilities(probabilities.numpy())[0]
        label = int(values.argmax()) if label is None else label
        evidence = heat.numpy()[0]
        most = float(evidence.max())
        scaled = (evidence / most if most > 0 else np.zeros_like(evidence)).astype(np.float32)
        return Heatmap(scaled, block, label, float(values[label]))

    def _graph(self, block: str) -> HeatGraph:
        classifier = self._classifier
        features = classifier.features
        both = keras.Model(features.input, [self._places[block], *features.outputs], name="looked_at")
        size = self.image_size

        def heat_of(images: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            scaled = classifier.preprocess(tf.cast(images, tf.float32), training=False)
            mirror = classifier.features(flipped(scaled), training=False) if classifier.mirrored else None
            with tf.GradientTape() as tape:
                tape.watch(scaled)
                looked_at, *maps = both(scaled, training=False)
                found = maps if mirror is None else as_list(beside(maps, mirror))
                scores, probabilities = _scores(classifier.head, found)
                answer, best = probabilities, scores
                if classifier.members:  # they have a say in the answer, and this one shows its part of the evidence
                    answer = best = classifier.with_members(tf.cast(images, tf.float32), probabilities)
                chosen = tf.where(label < 0, tf.argmax(best[0], output_type=tf.int32), label)
                score = tf.gather(scores[0], chosen)
            gradient, seen = (
                as_map(classifier.base, found) for found in (tape.gradient(score, looked_at), looked_at)
            )
            weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
            return tf.nn.relu(tf.reduce_sum(weights * seen, axis=-1)), answer

        signature = [tf.TensorSpec((1, size, size, 3), tf.uint8), tf.TensorSpec((), tf.int32)]
        graph: HeatGraph = tf.function(heat_of, input_signature=signature, autograph=False)
        return graph


open_grad_cam: Final = ModelPool(
    POOL_SIZE, lambda run, epoch: GradCam(run, split_classifier(load_stored(run, epoch)))
).open
"""The GradCam of a run's model, from the pool if it is there; see `ModelPool.open`."""


def _over_picture(heat: Heat, shape: tuple[int, ...], fit: str) -> Heat:
    """Heat over a square, laid over the whole picture ``(height, width)`` from which the square was made."""
    height, width = shape
    if fit == "squeeze" or height == width:
        return heat
    whole = np.asarray(PillowImage.fromarray(heat).resize((_SIDE, _SIDE), PillowImage.Resampling.BILINEAR))
    if fit == "border":  # the borders are cut off
        inner = max(1, round(_SIDE * height / max(shape))), max(1, round(_SIDE * width / max(shape)))
        top, left = (_SIDE - inner[0]) // 2, (_SIDE - inner[1]) // 2
        return whole[top : top + inner[0], left : left + inner[1]]
    rows, columns = round(_SIDE * height / min(shape)), round(_SIDE * width / min(shape))
    seen = np.zeros((rows, columns), np.float32)  # nothing is known of what was cut off
    top, left = (rows - _SIDE) // 2, (columns - _SIDE) // 2
    seen[top : top + _SIDE, left : left + _SIDE] = whole
    return seen


def _places(run: RunRecord, base: keras.Model) -> Mapping[str, keras.KerasTensor]:
    """The output of every block that is a map or tokens, by the block's title."""
    places: dict[str, keras.KerasTensor] = {}
    for block in outline_in_model(run.config.backbone, base).blocks:
        if (output := end_of_block(base, block.end)) is not None:
            places[block.title] = output
    last = list(places)[-1]
    return {**places, last: base.output}


def _scores(head: keras.Model, maps: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """One score per class before the softmax, and the probabilities; a sigmoid's score speaks against the other."""
    before = keras.Model(head.inputs, head.layers[-1].input)(maps, training=False)
    dense = head.layers[-1]
    scores = tf.cast(tf.matmul(before, dense.kernel), tf.float32) + tf.cast(dense.bias, tf.float32)
    if scores.shape[-1] == 1:
        return tf.concat([-scores, scores], axis=-1), tf.sigmoid(scores)
    return scores, tf.nn.softmax(scores)
