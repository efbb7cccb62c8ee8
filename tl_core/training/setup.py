"""What every phase of a training works on: the dataset, the device, the classifier and the resized images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tl_core.backbones.build import build_backbone
from tl_core.backbones.pool import acquire_backbone, release_backbone
from tl_core.config import TrainingConfig
from tl_core.config.phases import fine_tunes
from tl_core.data.dataset import Dataset, load_dataset
from tl_core.errors import NotEnoughDataError, StoppedError
from tl_core.features.cache import DiskCache, open_cache
from tl_core.features.images import STOPPED, ImageRows, open_images
from tl_core.machine.device import Device, use_device
from tl_core.machine.progress import TaskContext
from tl_core.models.classifier import Classifier, build_classifier
from tl_core.models.freezing import freeze_layers
from tl_core.storage.workspace import Workspace
from tl_core.training.callbacks.event_log import FEATURES, PREPARE, Reporter
from tl_core.training.losses import Loss

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The material of a training."""

    config: TrainingConfig
    dataset: Dataset
    device: Device
    classifier: Classifier
    frozen_layers: int  # while fine-tuning
    objective: Loss
    cache: DiskCache
    images: ImageRows
    labels: npt.NDArray[np.int32]  # of every image
    reporter: Reporter
    should_stop: Callable[[], bool]

    @property
    def fine_tunes(self) -> bool:
        """Whether there is a second phase."""
        return fine_tunes(self.config, len(self.classifier.base.layers))

    def rows_of(self, *splits: str) -> Rows:
        """Rows of the images of some splits."""
        return np.array([row for row, image in enumerate(self.dataset.images) if image.split in splits], np.int64)


def prepare(
    config: TrainingConfig,
    dataset_path: Path,
    workspace: Workspace,
    reporter: Reporter,
    should_stop: Callable[[], bool],
    on_device: Callable[[Device], Any],
) -> Prepared:
    """Load, build and resize everything a training needs.

    Raises:
        TransferLearningError: of the kind that says what is missing or wrong.
        StoppedError: ``should_stop`` said so.
    """
    reporter.phase(PREPARE, "Preparing the backbone")
    dataset = load_dataset(dataset_path)
    _require_enough(dataset)
    device = use_device(config.precision)
    on_device(device)
    if device.note:
        reporter.note(device.note)
    base = _build_base(config, reporter, should_stop)
    if should_stop():
        raise StoppedError(STOPPED)
    frozen = len(base.layers) if config.frozen_layers is None else config.frozen_layers
    freeze_layers(base, frozen)  # says so now if there are not as many layers
    classifier = build_classifier(config, len(dataset.classes), base)
    cache = open_cache(workspace)
    reporter.phase(FEATURES, f"Preparing {len(dataset.images):,} images")
    images = open_images(cache, dataset, classifier.image_size, _task(reporter, should_stop))
    return Prepared(
        config=config,
        dataset=dataset,
        device=device,
        classifier=classifier,
        frozen_layers=frozen,
        objective=Loss(config, len(dataset.classes)),
        cache=cache,
        images=images,
        labels=np.array([image.label for image in dataset.images], np.int32),
        reporter=reporter,
        should_stop=should_stop,
    )


def release(prepared: Prepared) -> None:
    """Leave the backbone to the next training, if this one has not changed it; nothing may use it afterwards."""
    config = prepared.config
    if config.weights == "imagenet" and not prepared.fine_tunes:
        release_backbone(config.backbone, config.image_size, prepared.classifier.base)


def _build_base(config: TrainingConfig, reporter: Reporter, should_stop: Callable[[], bool]) -> keras.Model:
    """The backbone; what is drawn at random afterwards does not depend on where it came from."""
    keras.utils.set_random_seed(config.seed)
    if config.weights == "random":
        base = build_backbone(config.backbone, config.image_size, config.weights)
    else:
        base = acquire_backbone(config.backbone, config.image_size, _task(reporter, should_stop))
    keras.utils.set_random_seed(config.seed)
    return base


def _require_enough(dataset: Dataset) -> None:
    for split, share in (("train", "training"), ("validation", "validation")):
        if not dataset.of_split(split):
            raise NotEnoughDataError(
                f"The dataset “{dataset.name}” has no {share} images: import it again with a share for {share}."
            )


def _task(reporter: Reporter, should_stop: Callable[[], bool]) -> TaskContext:
    return TaskContext(lambda told: reporter.progress(int(told.done), int(told.total)), should_stop)
