"""The other side: what a good Keras user writes, on the same backbone with the same weights.

Images come from the files of the dataset through ``tf.data``: decoded in parallel, cached in memory, shuffled,
batched, prefetched.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import keras
import tensorflow as tf

from tl_core.backbones.build import build_backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.scaling import build_scaling
from tl_core.data.dataset import Dataset

BATCH: Final = 32
DROPOUT: Final = 0.2


@dataclass(slots=True)
class EpochClock:
    """Notes when each epoch ended, its validation included."""

    ends: list[float] = field(default_factory=list)

    @property
    def callback(self) -> Any:
        """What ``fit`` has to be given."""
        return keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: self.ends.append(time.perf_counter()))

    @property
    def steady(self) -> float:
        """Seconds of an epoch, the first left out: it includes tracing and decoding."""
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


def images_of(dataset: Dataset, split: str, size: int, limit: int | None = None) -> Any:
    """Images and labels of a split as a ``tf.data.Dataset``, one by one, decoded once and kept in memory."""
    records = dataset.of_split(split)[:limit]
    files = [str(dataset.path_of(record)) for record in records]

    def load(file: Any, label: Any) -> tuple[Any, Any]:
        image = tf.io.decode_image(tf.io.read_file(file), channels=3, expand_animations=False)
        return tf.cast(tf.image.resize(image, (size, size), antialias=True), tf.uint8), label

    labels = [record.label for record in records]
    return tf.data.Dataset.from_tensor_slices((files, labels)).map(load, tf.data.AUTOTUNE).cache()


def for_training(images: Any, batch: int = BATCH, augment: Any = None) -> Any:
    """Shuffled batches, prefetched; changed at random by ``augment`` where there is one."""
    batches = images.shuffle(1000).batch(batch)
    if augment is not None:
        batches = batches.map(lambda x, y: (augment(tf.cast(x, tf.float32)), y), tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)


def for_checking(images: Any, batch: int = BATCH) -> Any:
    """Batches in order, prefetched."""
    return images.batch(batch).prefetch(tf.data.AUTOTUNE)


def build_features(backbone: str, size: int, weights: str, frozen_layers: int | None = None) -> keras.Model:
    """Raw RGB images -> pooled features, with the first layers (None = all) frozen."""
    base = build_backbone(backbone, size, weights)
    base.trainable = frozen_layers is not None
    for layer in base.layers[:frozen_layers]:
        layer.trainable = False
    inputs = keras.Input((size, size, 3))
    features = base(build_scaling(get_backbone(backbone).scaling, size)(inputs), training=False)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(features))


def build_model(
    features: keras.Model, classes: int, learning_rate: float, xla: bool | Literal["auto"] = "auto"
) -> keras.Model:
    """Features, dropout and one dense layer, compiled; XLA where Keras thinks that it is supported, or as said."""
    model = keras.Sequential([features, *_head(classes)])
    return _compiled(model, learning_rate, xla)


def build_head(features: keras.Model, classes: int, learning_rate: float) -> keras.Model:
    """Dropout and one dense layer on features that were computed before, compiled."""
    return _compiled(keras.Sequential([keras.Input(features.output_shape[1:]), *_head(classes)]), learning_rate)


def _head(classes: int) -> list[keras.Layer]:
    return [keras.layers.Dropout(DROPOUT), keras.layers.Dense(classes, activation="softmax")]


def _compiled(model: keras.Model, learning_rate: float, xla: bool | Literal["auto"] = "auto") -> keras.Model:
    model.compile(
        keras.optimizers.Adam(learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=xla,
    )
    return model
