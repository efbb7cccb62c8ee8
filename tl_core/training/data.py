"""Makes the data of a phase: cuts the classifier, and runs the frozen layers once over what can be cached."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tl_core.config import AugmentationConfig
from tl_core.config.phases import Phase
from tl_core.errors import StoppedError
from tl_core.features.choose_cut import choose_cut
from tl_core.features.compiled import Network, compile_network
from tl_core.features.compute import FEATURES_KIND, FeatureJob, compute_features
from tl_core.features.images import STOPPED, fit_in_key
from tl_core.features.partition import Partition, partition_classifier, weights_fingerprint
from tl_core.models.augmentation import build_augmentation
from tl_core.training.callbacks.event_log import FEATURES
from tl_core.training.inputs import CachedFeatures, Images, Inputs, LiveImages, PhaseData, Rows, Subset
from tl_core.training.losses import sample_weights
from tl_core.training.setup import TrainingSetup

MAX_LIVE_BATCH: Final = 64  # images at once through the frozen layers, where the batches of the training go through


def prepare_phase(setup: TrainingSetup, phase: Phase) -> PhaseData:
    """Cut the classifier and run the frozen layers over every image whose output can be cached.

    Without augmentation that is all of them; with cached views the training images in several random views;
    with full augmentation only those of the other splits.

    Raises:
        StoppedError: a stop was requested.
    """
    if setup.should_stop():
        raise StoppedError(STOPPED)
    layers, why = layers_to_run_once(setup.classifier.base, phase.frozen_layers, live=setup.live)
    if why:
        setup.log.note(why)
    partition = partition_classifier(setup.classifier, layers, setup.backbone)
    return _PhaseBuilder(setup, partition, phase.frozen_layers).build()


def layers_to_run_once(base: keras.Model, frozen_layers: int, *, live: bool) -> tuple[int, str | None]:
    """How many layers run once, and why, as text: the frozen ones, or fewer where caching their output is costly.

    Where the training images run through them in every epoch (``live``) there is nothing to weigh.
    """
    if live or not 0 < frozen_layers < len(base.layers):
        return frozen_layers, None
    choice = choose_cut(base, frozen_layers)
    return choice.layers, choice.text


def augmenter(augmentation: AugmentationConfig, seed: int, size: int) -> Callable[[Images], Images]:
    """Random changes, rounded to whole levels as every stored and predicted image is."""
    change = build_augmentation(augmentation, seed)

    def changed(images: tf.Tensor) -> tf.Tensor:
        views = change(tf.cast(images, tf.float32))
        return tf.cast(tf.round(tf.clip_by_value(views, 0.0, 255.0)), tf.uint8)

    graph = tf.function(changed, input_signature=[tf.TensorSpec((None, size, size, 3), tf.uint8)], autograph=False)
    return lambda images: graph(tf.constant(images)).numpy()


@dataclass(frozen=True, slots=True)
class _Part:
    """Images that run through the frozen layers once: some as they are, then others in random views."""

    plain: Rows
    changed: Rows  # one view of all training images after the other
    exact: bool = False  # calculated as the stored model does, not in the device's fast precision

    def __len__(self) -> int:
        return len(self.plain) + len(self.changed)


class _PhaseBuilder:
    """Makes the data of one phase."""

    def __init__(self, setup: TrainingSetup, partition: Partition, frozen_layers: int) -> None:
        self._setup = setup
        self._partition = partition
        self._frozen_layers = frozen_layers
        self._train_rows = setup.rows_of("train")
        self._networks: dict[int, Network] = {}  # by batch size
        self._seen: list[CachedFeatures] = []  # of each part, where it could be kept

    def build(self) -> PhaseData:
        setup, parts = self._setup, self._parts()
        made = self._make(parts)
        learning = len(setup.classifier.base.layers) - self._frozen_layers
        return PhaseData(
            trained=self._partition.trained,
            train=self._training(parts[0], made[0]),
            validation=self._unchanged(parts[-1], made[-1], setup.rows_of("validation")),
            test=self._unchanged(parts[-1], made[-1], rows) if len(rows := setup.rows_of("test")) else None,
            frozen=self._partition.frozen,
            text=f"Fine-tuning the last {learning} layers of the backbone"
            if learning
            else "Training the head on the features of the frozen backbone",
            seen=self._what_was_seen(parts),
        )

    def _what_was_seen(self, parts: tuple[_Part, ...]) -> tuple[Subset, Subset] | None:
        """Nothing where the training images go through the network changed alone, or what it sees can change yet."""
        if len(self._seen) < len(parts) or not len(parts[0].plain) or self._setup.live or self._setup.views:
            return None
        if self._setup.device.dtype_policy != "float32":
            return None  # the stored model sees with more bits
        ends = ((0, "train"), (-1, "validation"))
        taught, held_out = (
            self._unchanged(parts[end], self._seen[end], self._setup.rows_of(split)) for end, split in ends
        )
        return taught, held_out

    def _parts(self) -> tuple[_Part, ...]:
        """One part, or two where held-out images need a higher precision than training images."""
        setup, none = self._setup, np.empty(0, np.int64)
        held_out = setup.rows_of("validation", "test")
        if setup.live:
            return (_Part(held_out, none, exact=True),)
        views = setup.views
        if not setup.device.fast_features:
            return (_Part(held_out, np.tile(self._train_rows, views)) if views else _Part(setup.rows_of(), none),)
        learned = _Part(none, np.tile(self._train_rows, views)) if views else _Part(self._train_rows, none)
        return learned, _Part(held_out, none, exact=True)

    def _make(self, parts: tuple[_Part, ...]) -> list[Inputs]:
        if self._partition.frozen is None:
            return [LiveImages(self._setup.images)] * len(parts)
        total = sum(map(len, parts))
        whole = self._frozen_layers == len(self._setup.classifier.base.layers)
        what = "the frozen backbone" if whole else "the layers that stay frozen"  # before fine-tuning it runs again
        self._setup.log.begin(FEATURES, f"Running {what} once over {total:,} images")
        self._setup.log.progress(0, total)  # the first images take longest, as the network is compiled for them
        return [self._features(part, sum(map(len, parts[:index])), total) for index, part in enumerate(parts)]

    def _features(self, part: _Part, before: int, total: int) -> Inputs:
        setup, log = self._setup, self._setup.log
        job = FeatureJob(
            images=setup.images,
            rows=np.concatenate([part.plain, part.changed]),
            outputs=(*self._partition.outputs, *self._partition.seen),
            key=self._key(part),
            plain=len(part.plain),
            augment=self._augmenter() if len(part.changed) else None,
            # Random views come from one stream of numbers for all images, so they are known together alone.
            names=() if len(part.changed) else self._names(part),
        )
        arrays = compute_features(
            setup.cache,
            job,
            functools.partial(self._network, exact=part.exact),
            setup.device.trunk_batch,
            lambda done, _, rate: log.progress(before + done, total, rate),
            setup.should_stop,
        )
        if arrays is not None:
            log.cached(setup.cache.name_of(FEATURES_KIND, job.key), self._frozen_layers)
            taken = len(self._partition.outputs)
            if self._partition.seen:
                self._seen.append(CachedFeatures(arrays[taken:]))
            return CachedFeatures(arrays[:taken])
        log.note("The features are too large to keep, so the frozen layers run again in every epoch.")
        return LiveImages(setup.images, None, self._network(exact=part.exact), len(self._partition.outputs))

    def _key(self, part: _Part) -> dict[str, Any]:
        setup, device = self._setup, self._setup.device
        precision = "float32" if part.exact and device.fast_features else device.trunk_precision
        key: dict[str, Any] = {
            "backbone": setup.backbone,
            "weights": self._fingerprint,
            "size": setup.images.size,
            **fit_in_key(setup.images.fit),
            "cut": self._partition.name,
            "precision": [device.kind, device.dtype_policy, precision],
        }
        if self._partition.seen:
            key |= {"seen": [spec.shape for spec in self._partition.seen]}
        if len(part.changed):
            key |= {"dataset": setup.dataset.fingerprint, "images": [name[:16] for name in self._names(part)]}
            key |= {"views": setup.views, "seed": setup.seed, "augmentation": setup.augmentation.to_dict()}
        return key

    def _names(self, part: _Part) -> tuple[str, ...]:
        return tuple(self._setup.dataset.images[row].pixels_sha256 for row in part.plain)

    @functools.cached_property
    def _fingerprint(self) -> str:
        return weights_fingerprint(self._partition.frozen_weights)

    def _augmenter(self) -> Callable[[Images], Images]:
        return augmenter(self._setup.augmentation, self._setup.seed, self._setup.images.size)

    def _subset(self, inputs: Inputs, rows: Rows, places: Rows) -> Subset:
        """Images, by their rows in the dataset and their places in the inputs."""
        labels = self._setup.labels[rows]
        return Subset(inputs, places, labels, sample_weights(labels, self._setup.class_weights))

    def _unchanged(self, part: _Part, inputs: Inputs, rows: Rows) -> Subset:
        """Images as they are; those of the held-out splits count as training images."""
        places = np.searchsorted(part.plain, rows) if isinstance(inputs, CachedFeatures) else rows
        return self._subset(inputs, rows, places)

    def _training(self, part: _Part, inputs: Inputs) -> Callable[[int], Subset]:
        """The training images of an epoch."""
        setup, rows = self._setup, self._train_rows
        if len(part.changed) and isinstance(inputs, CachedFeatures):
            return functools.partial(self._draw_views, self._subset(inputs, rows, rows), len(part.plain))
        if setup.live or len(part.changed):
            batch_size = min(setup.batch_size, MAX_LIVE_BATCH)
            network = None if self._partition.frozen is None else self._network(batch_size)
            taken = len(self._partition.outputs)
            same = self._subset(LiveImages(setup.images, self._augmenter(), network, taken), rows, rows)
        else:
            same = self._unchanged(part, inputs, rows)
        return lambda _: same

    def _draw_views(self, images: Subset, first: int, epoch: int) -> Subset:
        count = len(images)
        views = np.random.default_rng([self._setup.seed, epoch, 1]).integers(self._setup.views, size=count)
        return replace(images, rows=first + views * count + np.arange(count))

    def _network(self, batch_size: int | None = None, *, exact: bool = False) -> Network:
        """The frozen part compiled for batches of this size, by itself of as many images as suit the device.

        If ``exact`` it calculates as the stored model does.
        """
        setup = self._setup
        batch_size = batch_size or setup.device.trunk_batch
        if batch_size not in self._networks:
            assert self._partition.frozen is not None  # noqa: S101  # the callers have looked
            if setup.should_stop():
                raise StoppedError(STOPPED)
            setup.log.slow_step()
            self._networks[batch_size] = network = compile_network(
                self._partition.looking or self._partition.frozen,
                setup.images.size,
                setup.device,
                batch_size=batch_size,
                sample=setup.images.read(np.arange(min(batch_size, len(setup.images)))),
                note=setup.log.note,
            )
            setup.log.note(f"The frozen layers run on {network.text}.")
        return self._networks[batch_size].exact if exact else self._networks[batch_size]
