"""What a phase is trained and checked with: features computed once, or images that are read again in every epoch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.config import AugmentationConfig
from tl_core.config.phases import Phase
from tl_core.errors import StoppedError
from tl_core.features.choose_cut import choose_cut
from tl_core.features.compiled import CompiledNetwork, Network, compile_network
from tl_core.features.compute import FEATURES_KIND, FeatureJob, compute_features
from tl_core.features.images import STOPPED, ImageRows
from tl_core.features.partition import Partition, TrainedPart, partition_classifier, weights_fingerprint
from tl_core.models.augmentation import build_augmentation
from tl_core.training.callbacks.event_log import FEATURES
from tl_core.training.losses import sample_weights
from tl_core.training.setup import TrainingSetup

Array = npt.NDArray[Any]
Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

MAX_LIVE_BATCH: Final = 64  # images at once through the frozen layers, where the batches of the training go through


class Inputs(Protocol, Hashable):
    """Inputs of a trained part, by row."""

    def read(self, rows: Rows) -> list[Array]:
        """One array ``(len(rows), ...)`` per input of the trained part."""


class CachedFeatures:
    """Outputs of the frozen layers, computed once: arrays on the disk or in memory."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self.arrays = tuple(arrays)

    @property
    def bytes(self) -> int:
        """Size of all arrays."""
        return sum(array.nbytes for array in self.arrays)

    def read(self, rows: Rows) -> list[Array]:
        """The given rows of each array."""
        return [array[rows] for array in self.arrays]


class LiveImages:
    """Images read each time, augmented if configured, and run through the frozen layers if there are any."""

    def __init__(
        self, images: ImageRows, augment: Callable[[Images], Images] | None = None, network: Network | None = None
    ) -> None:
        self._images = images
        self._augment = augment
        self._network = network

    def read(self, rows: Rows) -> list[Array]:
        """The inputs of the trained part for these images, now."""
        images = self._images.read(rows)
        if self._augment is not None:
            images = self._augment(images)
        return [images] if self._network is None else self._network(images)


@dataclass(frozen=True, slots=True)
class Subset:
    """Rows of some inputs for training or validation."""

    inputs: Inputs
    rows: Rows  # (m,)
    labels: npt.NDArray[np.int32]  # (m,)
    weights: npt.NDArray[np.float32]  # (m,) of each image in the loss

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class PhaseData:
    """What one phase trains, and on what."""

    trained: TrainedPart
    train: Callable[[int], Subset]  # by epoch: of cached views each draws its own
    validation: Subset
    test: Subset | None = None
    frozen: Callable[[tf.Tensor], list[tf.Tensor]] | None = None  # uint8 images -> inputs of the trained part
    text: str = ""  # what is trained, as text

    @property
    def checks_quickly(self) -> bool:
        """Whether validation and test images need not go through the frozen layers again."""
        return isinstance(self.validation.inputs, CachedFeatures)


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
    return _PhaseBuilder(setup, partition_classifier(setup.classifier, layers), phase.frozen_layers).build()


def layers_to_run_once(base: keras.Model, frozen_layers: int, *, live: bool) -> tuple[int, str | None]:
    """How many layers run once, and why, as text: the frozen ones, or fewer where caching their output is costly.

    Args:
        base: the backbone.
        frozen_layers: of it.
        live: whether the training images run through them in every epoch; then there is nothing to weigh.
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

    def place(self, inputs: Inputs, rows: Rows) -> Rows:
        """The rows of these plain images in the inputs."""
        return np.searchsorted(self.plain, rows) if isinstance(inputs, CachedFeatures) else rows


class _PhaseBuilder:
    """Makes the data of one phase."""

    def __init__(self, setup: TrainingSetup, partition: Partition, frozen_layers: int) -> None:
        self._setup = setup
        self._partition = partition
        self._frozen_layers = frozen_layers
        self._train_rows = setup.rows_of("train")
        self._networks: dict[int, CompiledNetwork] = {}  # by batch size

    def build(self) -> PhaseData:
        parts = self._parts()
        made = self._make(parts)
        return PhaseData(
            trained=self._partition.trained,
            train=self._training(parts[0], made[0]),
            validation=self._unchanged(parts[-1], made[-1], self._setup.rows_of("validation")),
            test=self._unchanged(parts[-1], made[-1], rows) if len(rows := self._setup.rows_of("test")) else None,
            frozen=self._partition.frozen,
            text=self._text(),
        )

    def _text(self) -> str:
        learning = len(self._setup.classifier.base.layers) - self._frozen_layers
        if learning:
            return f"Fine-tuning the last {learning} layers of the backbone"
        return "Training the head on the features of the frozen backbone"

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

    def _make(self, parts: Sequence[_Part]) -> list[Inputs]:
        if self._partition.frozen is None:
            return [LiveImages(self._setup.images)] * len(parts)
        total = sum(map(len, parts))
        self._setup.log.begin(FEATURES, f"Running the frozen layers once over {total:,} images")
        made, done = [], 0
        for part in parts:
            made.append(self._features(part, done, total))
            done += len(part)
        return made

    def _features(self, part: _Part, before: int, total: int) -> Inputs:
        setup, log = self._setup, self._setup.log
        job = self._job(part)
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
            return CachedFeatures(arrays)
        log.note("The features are too large to keep, so the frozen layers run again in every epoch.")
        return LiveImages(setup.images, None, self._network(exact=part.exact))

    def _job(self, part: _Part) -> FeatureJob:
        setup = self._setup
        augment = augmenter(setup.augmentation, setup.seed, setup.images.size) if len(part.changed) else None
        return FeatureJob(
            images=setup.images,
            rows=np.concatenate([part.plain, part.changed]),
            outputs=self._partition.outputs,
            key=self._key(part),
            plain=len(part.plain),
            augment=augment,
        )

    def _key(self, part: _Part) -> dict[str, Any]:
        setup, device = self._setup, self._setup.device
        key: dict[str, Any] = {
            "dataset": setup.dataset.fingerprint,
            "images": [setup.dataset.images[row].pixels_sha256[:16] for row in part.plain],
            "backbone": setup.backbone,
            "weights": self._fingerprint,
            "size": setup.images.size,
            "cut": self._partition.name,
            "precision": [
                device.kind,
                device.dtype_policy,
                "float32" if part.exact and device.fast_features else device.trunk_precision,
            ],
        }
        if len(part.changed):
            key |= {"views": setup.views, "seed": setup.seed, "augmentation": setup.augmentation.to_dict()}
        return key

    @functools.cached_property
    def _fingerprint(self) -> str:
        return weights_fingerprint(self._partition.frozen_weights)

    def _unchanged(self, part: _Part, inputs: Inputs, rows: Rows) -> Subset:
        """Images of the held-out splits; they count as training images."""
        labels = self._setup.labels[rows]
        return Subset(inputs, part.place(inputs, rows), labels, sample_weights(labels, self._setup.class_weights))

    def _training(self, part: _Part, inputs: Inputs) -> Callable[[int], Subset]:
        """The training images of an epoch."""
        setup, rows = self._setup, self._train_rows
        labels = setup.labels[rows]
        weights = sample_weights(labels, setup.class_weights)
        if len(part.changed) and isinstance(inputs, CachedFeatures):
            return functools.partial(self._draw_views, inputs, len(part.plain), labels, weights)
        if setup.live or len(part.changed):
            return _always(Subset(self._live_images(), rows, labels, weights))
        return _always(Subset(inputs, part.place(inputs, rows), labels, weights))

    def _draw_views(self, inputs: Inputs, first: int, labels: Any, weights: Any, epoch: int) -> Subset:
        count = len(self._train_rows)
        views = np.random.default_rng([self._setup.seed, epoch, 1]).integers(self._setup.views, size=count)
        return Subset(inputs, first + views * count + np.arange(count), labels, weights)

    def _live_images(self) -> LiveImages:
        setup = self._setup
        batch_size = min(setup.batch_size, MAX_LIVE_BATCH)
        network = None if self._partition.frozen is None else self._network(batch_size)
        return LiveImages(setup.images, augmenter(setup.augmentation, setup.seed, setup.images.size), network)

    def _network(self, batch_size: int | None = None, *, exact: bool = False) -> Network:
        """The frozen part compiled for batches of this size, by itself of as many images as suit the device.

        Args:
            batch_size: images at once.
            exact: whether to calculate as the stored model does.
        """
        setup = self._setup
        batch_size = batch_size or setup.device.trunk_batch
        if batch_size not in self._networks:
            assert self._partition.frozen is not None  # noqa: S101  # the callers have looked
            if setup.should_stop():
                raise StoppedError(STOPPED)
            setup.log.slow_step()
            self._networks[batch_size] = network = compile_network(
                self._partition.frozen,
                setup.images.size,
                setup.device,
                batch_size=batch_size,
                sample=setup.images.read(np.arange(min(batch_size, len(setup.images)))),
                note=setup.log.note,
            )
            setup.log.note(f"The frozen layers run on {network.text}.")
        return self._networks[batch_size].exact if exact else self._networks[batch_size]


def _always(subset: Subset) -> Callable[[int], Subset]:
    def of_epoch(_epoch: int) -> Subset:
        return subset

    return of_epoch
