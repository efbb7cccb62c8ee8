"""What every phase of a training works on: the dataset, the device, the classifier and the resized images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from tl_core.backbones.build import build_backbone
from tl_core.backbones.pool import acquire_backbone
from tl_core.config import AugmentationConfig, TrainingConfig
from tl_core.data.dataset import Dataset
from tl_core.errors import NotEnoughDataError, StoppedError
from tl_core.features.cache import DiskCache, open_cache
from tl_core.features.images import STOPPED, ImageRows, open_images
from tl_core.machine.device import Device, use_device
from tl_core.machine.progress import TaskContext
from tl_core.models.classifier import Classifier, build_classifier, freeze_layers
from tl_core.storage.workspace import Workspace
from tl_core.training.callbacks.event_log import FEATURES, PREPARE, EventLogger
from tl_core.training.losses import Loss, Weights, balanced_class_weights

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSetup:
    """The material of a training, and what decides how it is fed."""

    dataset: Dataset
    labels: npt.NDArray[np.int32]  # of every image
    images: ImageRows
    device: Device
    classifier: Classifier
    rebuild: Callable[[keras.Model], Classifier]  # the same classifier with new weights upon another backbone
    loss: Loss
    class_weights: Weights | None  # (classes,)
    backbone: str
    reusable: bool  # whether the backbone may go to the next training if this one has not changed it
    augmentation: AugmentationConfig
    views: int  # random views of each training image that are cached; 0 = none
    batch_size: int
    seed: int
    cache: DiskCache
    log: EventLogger
    should_stop: Callable[[], bool]

    @property
    def live(self) -> bool:
        """Whether the training images are augmented again in every epoch."""
        return self.augmentation.enabled and not self.views

    def rows_of(self, *splits: str) -> Rows:
        """Rows of the images of some splits; of all images without one."""
        rows = [row for row, image in enumerate(self.dataset.images) if not splits or image.split in splits]
        return np.array(rows, np.int64)


def set_up_training(
    config: TrainingConfig,
    dataset: Dataset,
    workspace: Workspace,
    log: EventLogger,
    should_stop: Callable[[], bool],
) -> TrainingSetup:
    """Load, build and resize everything a training needs.

    Raises:
        TransferLearningError: what is missing or wrong.
        StoppedError: ``should_stop`` returned true.
    """
    log.begin(PREPARE, "Preparing the backbone")
    for split, share in (("train", "training"), ("validation", "validation")):
        if not dataset.of_split(split):
            raise NotEnoughDataError(
                f"The dataset “{dataset.name}” has no {share} images: import it again with a share for {share}."
            )
    device = use_device(config.precision)
    if device.note:
        log.note(device.note)
    base = _build_base(config, log, should_stop)
    if should_stop():
        raise StoppedError(STOPPED)
    freeze_layers(base, config.frozen_layers)  # raises now if there are not as many layers
    rebuild = functools.partial(build_classifier, config, len(dataset.classes))
    classifier = rebuild(base)
    cache = open_cache(workspace)
    log.begin(FEATURES, f"Preparing {len(dataset.images):,} images")
    images = open_images(cache, dataset, classifier.image_size, _task(log, should_stop), config.fit)
    labels = np.array([image.label for image in dataset.images], np.int32)
    trained = [image.label for image in dataset.of_split("train")]
    cached_views = config.augmentation.enabled and config.augmentation_mode == "cached_views"
    return TrainingSetup(
        dataset=dataset,
        labels=labels,
        images=images,
        device=device,
        classifier=classifier,
        rebuild=rebuild,
        loss=Loss(config.head.output, len(dataset.classes), config.label_smoothing),
        class_weights=balanced_class_weights(trained, len(dataset.classes)) if config.class_weights else None,
        backbone=config.backbone,
        reusable=config.weights == "imagenet",
        augmentation=config.augmentation,
        views=config.views if cached_views else 0,
        batch_size=config.batch_size,
        seed=config.seed,
        cache=cache,
        log=log,
        should_stop=should_stop,
    )


def _build_base(config: TrainingConfig, log: EventLogger, should_stop: Callable[[], bool]) -> keras.Model:
    """The backbone; what is drawn at random afterwards does not depend on where it came from."""
    keras.utils.set_random_seed(config.seed)
    if config.weights == "random":
        base = build_backbone(config.backbone, config.image_size, config.weights)
    else:
        base = acquire_backbone(config.backbone, config.image_size, _task(log, should_stop))
    keras.utils.set_random_seed(config.seed)
    return base


def _task(log: EventLogger, should_stop: Callable[[], bool]) -> TaskContext:
    return TaskContext(lambda told: log.progress(int(told.done), int(told.total)), should_stop)
