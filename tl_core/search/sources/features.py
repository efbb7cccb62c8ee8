"""The features that heads are searched on: those that the training of the winner will use, from the same cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tl_core.backbones.pool import release_backbone
from tl_core.config import TrainingConfig
from tl_core.config.head import MAX_BLOCKS
from tl_core.config.phases import phases_of
from tl_core.data.dataset import Dataset, fingerprint_of
from tl_core.errors import ConfigError
from tl_core.models.classifier import freeze_layers
from tl_core.search.heads import Array, Features
from tl_core.storage.workspace import Workspace
from tl_core.training.callbacks.event_log import EventLogger
from tl_core.training.data import prepare_phase
from tl_core.training.inputs import CachedFeatures, Subset
from tl_core.training.setup import set_up_training


def load_features(
    config: TrainingConfig,
    dataset: Dataset,
    workspace: Workspace,
    log: EventLogger,
    should_stop: Callable[[], bool],
    plain: Features | None = None,
) -> Features:
    """Run the frozen backbone over the training and validation images, or read what is kept of it.

    The test images wait for the winner, whose run adds them to the cache. Where images are changed at random, all are
    kept together, so there they are run as well.

    Args:
        config: of which backbone, image size, mirror images and augmentation count; the averages and the maxima of as
            many blocks are taken as a head can look at.
        dataset: in the revision that the search is for.
        workspace: whose cache is used.
        log: told how far it is.
        should_stop: checked at every batch.
        plain: the same without augmentation, where ``config`` has some.

    Raises:
        StoppedError: ``should_stop`` returned true.
        ConfigError: the features are too large to be kept.
        TransferLearningError: what else stands against it.
    """
    config = replace(config, head=replace(config.head, blocks=MAX_BLOCKS, pooling="both"))
    if not config.augmentation.enabled:
        dataset = _without_test_images(dataset)
    setup = set_up_training(config, dataset, workspace, log, should_stop)
    phase = phases_of(config, len(setup.classifier.base.layers))[0]
    freeze_layers(setup.classifier.base, phase.frozen_layers)
    data = prepare_phase(setup, phase)
    learned, checked = data.train(1), data.validation
    checked_values = _values(checked)
    changed = [_values(_of_view(learned, view, setup.views)) for view in range(setup.views)]
    found = [np.concatenate([view, checked_values]) for view in changed or [_values(learned)]]
    views = np.stack(found if plain is None else [plain.views[0], *found])
    labels = np.concatenate([learned.labels, checked.labels]).astype(np.int64)
    validation = np.arange(len(labels)) >= len(learned)
    release_backbone(setup.backbone, setup.classifier.image_size, setup.classifier.base)
    channels = tuple(int(output.shape[-1]) for output in setup.classifier.features.outputs)
    return Features(views, labels, validation, len(setup.dataset.classes), channels)


def _without_test_images(dataset: Dataset) -> Dataset:
    images = tuple(image for image in dataset.images if image.split != "test")
    return replace(dataset, images=images, fingerprint=fingerprint_of(dataset.classes, images))


def _of_view(learned: Subset, view: int, views: int) -> Subset:
    """The same images in another of their views; views of all images lie one after the other."""
    count = len(learned)
    assert isinstance(learned.inputs, CachedFeatures)  # noqa: S101  # else there are no views
    first = len(learned.inputs.arrays[0]) - views * count
    rows = first + view * count + np.arange(count)
    return Subset(learned.inputs, rows, learned.labels, learned.weights)


def _values(subset: Subset) -> Array:
    if not isinstance(subset.inputs, CachedFeatures):
        raise ConfigError(
            "The features of these images are too large to be kept: free some disk space, or allow the cache more of "
            "it with TL_CACHE_GB."
        )
    arrays = subset.inputs.read(subset.rows)
    return np.concatenate([array.astype(np.float32, copy=False) for array in arrays], axis=-1)
