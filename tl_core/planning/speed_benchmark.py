"""A short measurement of how fast this machine trains one kind of model, for the time shown before Start.

Every part of a training is run as a training runs it, on a few batches of made-up images and with random weights:
nothing is downloaded, and the speed does not depend on what the weights are.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from tl_core.config import TrainingConfig
from tl_core.config.phases import FINE_TUNE, HEAD, Phase, phases_of
from tl_core.data.dataset import Dataset
from tl_core.data.normalise import Reading
from tl_core.features.compiled import compile_network
from tl_core.features.images import StoredImages
from tl_core.features.partition import Partition, partition_classifier
from tl_core.machine.device import Device, use_device
from tl_core.machine.hardware import QUIET, OtherWork
from tl_core.models.classifier import Classifier, build_classifier, freeze_layers
from tl_core.models.optimizers import build_optimizer
from tl_core.planning.speed import PhaseSpeed, Speed, save_speed
from tl_core.storage.workspace import Workspace
from tl_core.training.data import augmenter, layers_to_run_once
from tl_core.training.epoch_runner import EpochRunner
from tl_core.training.inputs import CachedFeatures, Inputs, LiveImages, Subset
from tl_core.training.losses import Loss
from tl_core.training.saving import save_model

ENOUGH_SECONDS: Final = 0.5  # of one measurement; more repetitions add little
SAMPLE_IMAGES: Final = 16  # of the dataset, decoded to see how long that takes
STORED_ROWS: Final = 512  # made-up inputs of the trained part, at most ...
STORED_BYTES: Final = 64 << 20  # ... and of at most this size
PICTURE_SIDE: Final = 512  # pixels, of the made-up picture that is decoded where there is no dataset

Images = npt.NDArray[np.uint8]


def measure_speed(workspace: Workspace, config: TrainingConfig, dataset: Dataset | None = None) -> Speed:
    """Measure, and save the result for the plan; it says whether something else worked at the same time.

    Args:
        config: of the kind of training; its weights do not matter.
        dataset: whose images are decoded for the time of decoding; None = a made-up picture.

    Raises:
        TransferLearningError: a training like this could not begin either.
    """
    others = OtherWork()
    speed = _measure(replace(config, weights="random"), dataset)
    speed = replace(speed, quiet=others.share() < QUIET)
    save_speed(workspace, config, speed)
    return speed


def _measure(config: TrainingConfig, dataset: Dataset | None) -> Speed:
    device = use_device(config.precision)
    build, classifier = _timed(lambda: build_classifier(config, _classes(config)))
    speeds = {}
    for phase in phases_of(config, len(classifier.base.layers)):
        freeze_layers(classifier.base, phase.frozen_layers)
        speeds[phase.name] = _measure_phase(config, device, classifier, phase)
    with tempfile.TemporaryDirectory() as folder:
        saving = _seconds(lambda: save_model(Path(folder) / "model.keras", classifier.model))
    return Speed(build, saving, _decoding(dataset, classifier.image_size), speeds[HEAD], speeds.get(FINE_TUNE))


def _measure_phase(config: TrainingConfig, device: Device, classifier: Classifier, phase: Phase) -> PhaseSpeed:
    """One phase on made-up images."""
    size, batch, at_once = classifier.image_size, config.batch_size, device.trunk_batch
    live = config.augmentation.enabled and config.augmentation_mode == "full"
    layers, _ = layers_to_run_once(classifier.base, phase.frozen_layers, live=live)
    partition = partition_classifier(classifier, layers)
    images = _noise(at_once, size)
    compiling, network, frozen, changed = 0.0, None, 0.0, 0.0
    if (forward := partition.frozen) is not None:
        compiling, network = _timed(lambda: compile_network(forward, size, device, batch_size=at_once, sample=images))
        frozen = _repeated(lambda: network(images)) / at_once
    if config.augmentation.enabled:
        change = augmenter(config.augmentation, config.seed, size)
        changed = frozen + _repeated(lambda: change(images)) / at_once
    optimizer = build_optimizer(
        config.optimizer, phase.learning_rate, 1000, schedule=config.schedule, weight_decay=config.weight_decay
    )
    loss = Loss(config.head.output, _classes(config), config.label_smoothing)
    runner = EpochRunner(partition.trained, optimizer, loss, lambda: False)
    examples = _examples(config, partition, size)
    few = np.arange(min(batch, len(examples)))
    first = _seconds(lambda: runner.train_epoch(examples, few, batch, lambda _: None))
    learn = _repeated(lambda: runner.train_epoch(examples, np.arange(len(examples)), batch, lambda _: None))
    first += _seconds(lambda: runner.evaluate(examples))
    check = _repeated(lambda: runner.evaluate(examples))
    learn, check = learn / len(examples), check / len(examples)
    trace = max(0.0, first - len(few) * learn - len(examples) * check)
    return PhaseSpeed(compiling, frozen, changed, trace, learn, check)


def _examples(config: TrainingConfig, partition: Partition, size: int) -> Subset:
    """Made-up inputs of the trained part, as a training would have cached them, and labels.

    As many are used as a second or so takes: one batch where a batch is slow, because more than the head is trained.
    """
    outputs = partition.outputs
    bytes_per_image = sum(output.bytes for output in outputs)
    stored = int(np.clip(STORED_BYTES // bytes_per_image, min(32, config.batch_size), STORED_ROWS))
    random = np.random.default_rng(0)
    feed: Inputs = (
        LiveImages(StoredImages(_noise(stored, size)))
        if partition.frozen is None
        else CachedFeatures(
            [random.random((stored, *output.shape), np.float32).astype(output.dtype) for output in outputs]
        )
    )
    rows = min(config.batch_size, stored) if partition.trained.stages else stored
    labels = np.arange(rows, dtype=np.int32) % _classes(config)
    return Subset(feed, np.arange(rows), labels, np.ones(rows, np.float32))


def _decoding(dataset: Dataset | None, size: int) -> float:
    """Seconds per million pixels."""
    with tempfile.TemporaryDirectory() as folder:
        if dataset is None:
            path = Path(folder) / "picture.png"
            Image.fromarray(_noise(1, PICTURE_SIDE)[0]).save(path)
            paths, pixels = [path], PICTURE_SIDE**2
        else:
            some = dataset.images[:: max(1, len(dataset.images) // SAMPLE_IMAGES)][:SAMPLE_IMAGES]
            paths = [dataset.path_of(image) for image in some]
            pixels = sum(image.width * image.height for image in some)

        def decode() -> None:
            for path in paths:
                Reading(size).of_stored(path)

        return _repeated(decode) / (pixels / 1e6)


def _classes(config: TrainingConfig) -> int:
    """How many there are makes no difference to the speed, only sigmoid needs two."""
    return 2 if config.head.output == "sigmoid" else 3


def _noise(count: int, size: int) -> Images:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def _repeated(work: Callable[[], Any]) -> float:
    """Seconds of one call: the median of a few after one that is not counted, or of just one where it is slow."""
    first = _seconds(work)
    if first > 4 * ENOUGH_SECONDS:
        return first
    seconds: list[float] = []
    while sum(seconds) < ENOUGH_SECONDS:
        seconds.append(_seconds(work))
    return float(np.median(seconds))


def _seconds(work: Callable[[], Any]) -> float:
    return _timed(work)[0]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result
