"""From a configuration and a dataset to what will happen."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Final

from tl_core.backbones.outline import BackboneOutline, feature_shape, load_outline
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.weights import weights_status
from tl_core.config import TrainingConfig
from tl_core.config.phases import FINE_TUNE, PHASE_TITLES, Phase, phases_of
from tl_core.data.dataset import SPLITS, Dataset
from tl_core.features.cache import DiskCache, open_cache
from tl_core.features.images import images_are_kept
from tl_core.planning.speed import RUNS_LOOKED_AT, PhaseSpeed, Speed, known_speed, past_features
from tl_core.runs import list_runs
from tl_core.storage.format import large_count, rough_duration, size
from tl_core.storage.workspace import Workspace

_LOADING_SECONDS: Final = 4.0  # TensorFlow, Keras and OpenVINO, once per process
_AROUND_SECONDS: Final = 0.5  # of every training: reading the dataset, writing the record, freeing memory
_WEIGHT_BYTES: Final = 4  # float32, also where the training calculates with fewer bits
_EPOCH_SECONDS: Final = 0.01  # of an epoch, whatever its images: events, the best weights set aside


@dataclass(frozen=True, slots=True)
class PlannedPhase:
    """One of the two phases."""

    title: str
    epochs: int  # at most, where training may stop early
    trainable_parameters: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What will happen after Start."""

    phases: tuple[PlannedPhase, ...]
    images: int  # training images
    trainable_parameters: int  # of the phase that trains the most
    total_parameters: int
    download_mb: float  # 10^6 bytes to fetch first, 0 if nothing
    kept_mb: float  # 10^6 bytes on the disk of the last epochs, at most; 0 if the best alone is kept
    seconds: float
    measured: bool  # whether the time rests on a measurement on this machine ...
    exact: bool  # ... of this very kind of training ...
    quiet: bool  # ... while nothing else worked on it
    text: str  # all of it in one line
    problems: tuple[str, ...]  # sentences; with any of them Start makes no sense


def plan_training(config: TrainingConfig, dataset: Dataset, workspace: Workspace) -> TrainingPlan:
    """Plan a training, without building anything.

    Raises:
        ConfigError: the backbone is unknown.
    """
    backbone, outline = get_backbone(config.backbone), load_outline(config.backbone)
    known, cache = known_speed(config, workspace), open_cache(workspace)
    head = head_parameters(config, len(dataset.classes))
    phases = tuple(
        PlannedPhase(
            PHASE_TITLES[phase.name],
            phase.epochs,
            head[0] + outline.trainable_parameters(phase.frozen_layers),
            _phase_seconds(
                config,
                known.speed,
                dataset,
                phase,
                cached=_features_are_cached(config, phase.frozen_layers, dataset, workspace, cache),
            ),
        )
        for phase in phases_of(config, len(outline.layers))
    )
    download = weights_status(backbone, workspace).download_mb if config.weights == "imagenet" else 0.0
    loading = 0.0 if "tensorflow" in sys.modules else _LOADING_SECONDS
    seconds = (
        loading + _AROUND_SECONDS + known.speed.build + known.speed.save + sum(phase.seconds for phase in phases)
    )
    if not images_are_kept(cache, dataset, config.image_size or backbone.image_size, config.fit):
        seconds += known.speed.decode * sum(image.width * image.height for image in dataset.images) / 1e6
    images = len(dataset.of_split("train"))
    trainable, total = max(phase.trainable_parameters for phase in phases), outline.parameters + sum(head)
    kept_mb = _kept_bytes(config, outline, sum(head)) / 1e6
    early = config.early_stopping_patience is not None
    steps = ", then ".join(f"{phase.title} for {'up to ' * early}{phase.epochs} epochs" for phase in phases)
    share = f"{large_count(trainable)} of {large_count(total)} parameters"
    fetched = f"{download:.0f} MB to download first" if download else "nothing to download"
    time = f"{'at most ' * early}{rough_duration(seconds)}" + ("" if known.exact else " (a rough guess)")
    room = f"; up to {size(math.ceil(kept_mb) * 1e6)} for the epochs kept" if kept_mb else ""
    return TrainingPlan(
        phases=phases,
        images=images,
        trainable_parameters=trainable,
        total_parameters=total,
        download_mb=download,
        kept_mb=kept_mb,
        seconds=seconds,
        measured=known.measured,
        exact=known.exact,
        quiet=known.speed.quiet,
        text=f"{steps[0].upper()}{steps[1:]} on {images:,} images; trains {share}; {fetched}; {time}{room}.",
        problems=tuple(_problems(config, dataset, backbone, outline)),
    )


def _phase_seconds(config: TrainingConfig, speed: Speed, dataset: Dataset, phase: Phase, *, cached: bool) -> float:
    """What runs once, unless it is cached, and what runs in every epoch."""
    known: PhaseSpeed = (speed.fine_tune if phase.name == FINE_TUNE else None) or speed.head
    train, held_out, test = (len(dataset.of_split(split)) for split in SPLITS)
    augmented = config.augmentation.enabled
    views = config.views if augmented and config.augmentation_mode == "cached_views" else 0
    live = augmented and not views
    plain = held_out + test if augmented else train + held_out + test
    once = known.compile + plain * known.frozen + views * train * known.changed
    if phase.frozen_layers == 0 or cached:
        once = known.compile if live and phase.frozen_layers else 0.0
    learning = train * (known.learn + (known.changed if live else 0.0))
    return once + known.trace + phase.epochs * (learning + held_out * known.check + _EPOCH_SECONDS)


def head_parameters(config: TrainingConfig, classes: int) -> tuple[int, int]:
    """Trainable and other parameters of the head that is made for so many classes."""
    backbone = get_backbone(config.backbone)
    shape = feature_shape(backbone, max(backbone.min_image_size, config.image_size or backbone.image_size))
    return config.head.parameters(shape, classes, load_outline(backbone.name).earlier_channels)


def _kept_bytes(config: TrainingConfig, outline: BackboneOutline, head: int) -> int:
    """Of an epoch the head, and the layers that fine-tuning changes; these once more as they were before."""
    opened = outline.layers[phases_of(config, len(outline.layers))[-1].frozen_layers :]
    tail = sum(layer.parameters for layer in opened)
    return _WEIGHT_BYTES * (config.keep_last_epochs * (head + tail) + (tail if config.keep_last_epochs else 0))


def _problems(config: TrainingConfig, dataset: Dataset, backbone: Backbone, outline: BackboneOutline) -> list[str]:
    layers = len(outline.layers)
    size = config.image_size or backbone.image_size
    wrong = {
        f"{backbone.title} has {layers} layers, so {config.frozen_layers} of them cannot be frozen.": (
            config.frozen_layers is not None and config.frozen_layers > layers
        ),
        f"{backbone.title} needs images of at least {backbone.min_image_size} pixels, not {size}.": (
            size < backbone.min_image_size
        ),
        f"A sigmoid output tells two classes apart, and this dataset has {len(dataset.classes)}: choose softmax.": (
            config.head.output == "sigmoid" and len(dataset.classes) != 2
        ),
        "The dataset has no validation images, so the best epoch cannot be found: import it again with some.": (
            not dataset.of_split("validation")
        ),
    }
    return [sentence for sentence, applies in wrong.items() if applies]


def _features_are_cached(
    config: TrainingConfig, frozen_layers: int, dataset: Dataset, workspace: Workspace, cache: DiskCache
) -> bool:
    """Whether the output of the first layers for these images is cached, according to an earlier run."""
    wanted = _made_from(config)
    return any(
        layers == frozen_layers and cache.holds(entry)
        for run in list_runs(workspace)[:RUNS_LOOKED_AT]
        if run.dataset_fingerprint == dataset.fingerprint
        and run.config.backbone == config.backbone  # first, as a network of another run may be deleted by now
        and _made_from(run.config) == wanted
        for layers, entry in past_features(run).cached
    )


def _made_from(config: TrainingConfig) -> dict[str, Any]:
    """The settings that the frozen layers' output depends on."""
    views = config.views if config.augmentation.enabled and config.augmentation_mode == "cached_views" else 0
    made: dict[str, Any] = {
        "backbone": config.backbone,
        "image_size": config.image_size or get_backbone(config.backbone).image_size,
        "fit": config.fit,
        "weights": config.weights,
        "pooling": config.head.pooling,
        "blocks": config.head.blocks,
        "mirrored": config.head.mirrored,
        "precision": config.precision,
        "augmented": config.augmentation.enabled,
        "views": views,
    }
    if views:
        made["augmentation"] = config.augmentation.to_dict()
    if views or config.weights == "random":
        made["seed"] = config.seed
    return made
