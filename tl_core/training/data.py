"""From a cut through the classifier to the examples of a phase, computed once or made as they are needed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.config import TrainingConfig
from tl_core.errors import StoppedError
from tl_core.features.choose_cut import choose_cut
from tl_core.features.compiled import Network, compile_network
from tl_core.features.compute import FEATURES_KIND, FeatureJob, compute_features
from tl_core.features.images import STOPPED
from tl_core.features.partition import Partition, partition_classifier, weights_fingerprint
from tl_core.models.augmentation import build_augmentation
from tl_core.training.callbacks.event_log import FEATURES
from tl_core.training.inputs import CachedFeatures, Feed, LiveImages
from tl_core.training.loops import Subset
from tl_core.training.losses import sample_weights
from tl_core.training.setup import Prepared

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

MAX_LIVE_BATCH: Final = 64  # as above, where the batches of the training go through it


@dataclass(frozen=True, slots=True)
class PhaseData:
    """A partition with what its trained part is fed."""

    partition: Partition
    train: Callable[[int], Subset]  # by epoch
    validation: Subset
    test: Subset | None


def prepare_phase(prepared: Prepared, frozen_layers: int) -> PhaseData:
    """Cut the classifier and run the frozen part over every image whose output can be kept.

    Without augmentation that is all of them; with cached views the training images in several random views;
    with full augmentation only those of the other splits.

    Raises:
        StoppedError: the person asked to stop.
    """
    if prepared.should_stop():
        raise StoppedError(STOPPED)
    layers, why = layers_to_run_once(prepared.config, prepared.classifier.base, frozen_layers)
    if why:
        prepared.reporter.note(why)
    partition = partition_classifier(prepared.classifier, layers)
    builder = _Builder(prepared, partition, frozen_layers)
    return PhaseData(
        partition, builder.training_examples(), builder.examples("validation"), builder.examples_or_none("test")
    )


def layers_to_run_once(config: TrainingConfig, base: keras.Model, frozen_layers: int) -> tuple[int, str | None]:
    """How many layers run once, and why, in words: the frozen ones, or fewer where keeping their output is dear.

    With full augmentation the training images' outputs are not kept, so there is nothing to weigh.
    """
    live = config.augmentation.enabled and config.augmentation_mode == "full"
    if live or not 0 < frozen_layers < len(base.layers):
        return frozen_layers, None
    choice = choose_cut(base, frozen_layers)
    return choice.layers, choice.text


def augmenter(config: TrainingConfig, size: int) -> Callable[[Images], Images]:
    """Random changes, rounded to whole levels as every stored and predicted image is."""
    change = build_augmentation(config.augmentation, config.seed)

    def changed(images: tf.Tensor) -> tf.Tensor:
        views = change(tf.cast(images, tf.float32))
        return tf.cast(tf.round(tf.clip_by_value(views, 0.0, 255.0)), tf.uint8)

    graph = tf.function(changed, input_signature=[tf.TensorSpec((None, size, size, 3), tf.uint8)], autograph=False)
    return lambda images: graph(tf.constant(images)).numpy()


class _Builder:
    def __init__(self, prepared: Prepared, partition: Partition, frozen_layers: int) -> None:
        self._prepared = prepared
        self._frozen_layers = frozen_layers
        self._partition = partition
        self._train_rows = prepared.rows_of("train")
        config = prepared.config
        self._views = config.views if config.augmentation_mode == "cached_views" else 0
        self._augmented = config.augmentation.enabled
        self._plain_rows = (
            prepared.rows_of("validation", "test") if self._augmented else np.arange(len(prepared.images))
        )
        self._networks: dict[int, Network] = {}  # by batch size
        self._feed = self._make_feed()

    def examples(self, split: str) -> Subset:
        """The images of a split, unchanged."""
        rows = self._prepared.rows_of(split)
        labels = self._prepared.labels[rows]
        return Subset(self._feed, self._place(rows), labels, np.ones(len(rows), np.float32))

    def examples_or_none(self, split: str) -> Subset | None:
        """As `examples`, or None if the dataset has no such images."""
        return self.examples(split) if len(self._prepared.rows_of(split)) else None

    def training_examples(self) -> Callable[[int], Subset]:
        """The training images as an epoch sees them."""
        config, rows = self._prepared.config, self._train_rows
        labels = self._prepared.labels[rows]
        weights = sample_weights(config, labels, len(self._prepared.dataset.classes))
        if self._augmented and self._views and isinstance(self._feed, CachedFeatures):
            return functools.partial(self._draw_views, labels, weights)
        if not self._augmented:
            return _always(Subset(self._feed, self._place(rows), labels, weights))
        return _always(Subset(self._live_feed(), rows, labels, weights))

    def _draw_views(self, labels: npt.NDArray[np.int32], weights: npt.NDArray[np.float32], epoch: int) -> Subset:
        count = len(self._train_rows)
        views = np.random.default_rng([self._prepared.config.seed, epoch, 1]).integers(self._views, size=count)
        return Subset(self._feed, len(self._plain_rows) + views * count + np.arange(count), labels, weights)

    def _place(self, rows: Rows) -> Rows:
        """Where the outputs of these images lie in the feed."""
        return np.searchsorted(self._plain_rows, rows) if isinstance(self._feed, CachedFeatures) else rows

    def _make_feed(self) -> Feed:
        if self._partition.frozen is None:
            return LiveImages(self._prepared.images)
        run = self._trunk_run()
        reporter, batch_size = self._prepared.reporter, self._prepared.device.trunk_batch
        reporter.phase(FEATURES, f"Running the frozen layers once over {len(run.rows):,} images")
        arrays = compute_features(
            self._prepared.cache, run, self._network, batch_size, reporter.progress, self._prepared.should_stop
        )
        if arrays is not None:
            reporter.kept(self._prepared.cache.name_of(FEATURES_KIND, run.key), self._frozen_layers)
            return CachedFeatures(arrays)
        reporter.note("What the frozen layers say is too large to keep, so they run again in every epoch.")
        return LiveImages(self._prepared.images, None, self._network())

    def _trunk_run(self) -> FeatureJob:
        views = self._views if self._augmented else 0
        return FeatureJob(
            images=self._prepared.images,
            rows=np.concatenate([self._plain_rows, *[self._train_rows] * views]),
            outputs=self._partition.outputs,
            key=self._key(views),
            plain=len(self._plain_rows),
            augment=augmenter(self._prepared.config, self._prepared.images.size) if views else None,
        )

    def _key(self, views: int) -> dict[str, Any]:
        prepared, config = self._prepared, self._prepared.config
        key: dict[str, Any] = {
            "dataset": prepared.dataset.fingerprint,
            "images": [
                image.pixels_sha256[:16] for image in (prepared.dataset.images[row] for row in self._plain_rows)
            ],
            "backbone": config.backbone,
            "weights": weights_fingerprint(self._partition.frozen_weights),
            "size": prepared.images.size,
            "cut": self._partition.name,
            "precision": [prepared.device.kind, prepared.device.dtype_policy, prepared.device.trunk_precision],
        }
        if views:
            key |= {"views": views, "seed": config.seed, "augmentation": config.augmentation.to_dict()}
        return key

    def _live_feed(self) -> Feed:
        batch_size = min(self._prepared.config.batch_size, MAX_LIVE_BATCH)
        network = None if self._partition.frozen is None else self._network(batch_size)
        change = augmenter(self._prepared.config, self._prepared.images.size)
        return LiveImages(self._prepared.images, change, network)

    def _network(self, batch_size: int | None = None) -> Network:
        """The frozen part compiled for batches of this size, by itself of as many images as suit the device."""
        batch_size = batch_size or self._prepared.device.trunk_batch
        if batch_size not in self._networks:
            assert self._partition.frozen is not None  # noqa: S101  # the callers have looked
            prepared = self._prepared
            if prepared.should_stop():
                raise StoppedError(STOPPED)
            prepared.reporter.slow_step()
            self._networks[batch_size] = compile_network(
                self._partition.frozen,
                prepared.images.size,
                prepared.device,
                batch_size=batch_size,
                sample=prepared.images.read(np.arange(min(batch_size, len(prepared.images)))),
                note=prepared.reporter.note,
            )
            prepared.reporter.note(f"The frozen layers run on {self._networks[batch_size].text}.")
        return self._networks[batch_size]


def _always(examples: Subset) -> Callable[[int], Subset]:
    def of_epoch(_epoch: int) -> Subset:
        return examples

    return of_epoch
