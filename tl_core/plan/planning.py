"""From a configuration and a dataset to what will happen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tl_core.backbones.feature_size import feature_shape
from tl_core.backbones.outline import BackboneOutline, load_outline
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.weights import weights_status
from tl_core.config import TrainingConfig
from tl_core.data.dataset import Dataset
from tl_core.plan.speed import seconds_per_image
from tl_core.plan.wording import count_in_words, duration_in_words
from tl_core.workspace import Workspace

# Costs relative to one pass through the frozen backbone, from measurements on two cores.
_AUGMENTED_PASS: Final = 2.0  # TensorFlow instead of OpenVINO, and the random changes themselves
_TRAINED_PASS: Final = 4.0  # forward and backward through unfrozen layers in TensorFlow
_HEAD_SECONDS_PER_IMAGE: Final = 3e-5  # one image of one epoch on stored features
_START_SECONDS: Final = 4.0  # building, compiling, saving


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
    seconds: float
    measured: bool  # whether the time rests on an earlier run on this machine
    text: str  # all of it in one line
    problems: tuple[str, ...]  # sentences; with any of them Start makes no sense


def plan_training(config: TrainingConfig, dataset: Dataset, workspace: Workspace) -> TrainingPlan:
    """Say what a training will do, without building anything.

    Raises:
        ConfigError: the backbone is unknown.
    """
    backbone, outline = get_backbone(config.backbone), load_outline(config.backbone)
    per_image, measured = seconds_per_image(config, backbone, workspace)
    phases = _phases(config, dataset, outline, per_image)
    head_trainable, head_frozen = _head_parameters(config, dataset)
    download = weights_status(backbone, workspace).download_mb if config.weights == "imagenet" else 0.0
    seconds = sum(phase.seconds for phase in phases) + _START_SECONDS
    plan = TrainingPlan(
        phases=phases,
        images=len(dataset.of_split("train")),
        trainable_parameters=max(phase.trainable_parameters for phase in phases),
        total_parameters=outline.parameters + head_trainable + head_frozen,
        download_mb=download,
        seconds=seconds,
        measured=measured,
        text="",
        problems=tuple(_problems(config, dataset, backbone, outline)),
    )
    return _with_text(plan, early=config.early_stopping_patience is not None)


def fine_tunes(config: TrainingConfig, outline: BackboneOutline) -> bool:
    """Whether there is a second phase: layers to unfreeze and epochs to train them."""
    frozen = config.frozen_layers
    return config.fine_tune_epochs > 0 and frozen is not None and frozen < len(outline.layers)


def _phases(
    config: TrainingConfig, dataset: Dataset, outline: BackboneOutline, per_image: float
) -> tuple[PlannedPhase, ...]:
    train, held_out = len(dataset.of_split("train")), len(dataset.of_split("validation"))
    everything = len(dataset.images)
    head = _head_parameters(config, dataset)[0]
    if not config.augmentation.enabled:
        seconds = everything * per_image + config.epochs * train * _HEAD_SECONDS_PER_IMAGE
    elif config.augmentation_mode == "cached_views":
        seconds = (train * config.views + everything) * per_image
    else:
        seconds = config.epochs * (train * _AUGMENTED_PASS + held_out) * per_image
    extraction = PlannedPhase("Feature extraction", config.epochs, head, seconds)
    if not fine_tunes(config, outline):
        return (extraction,)
    above = 1 - (config.frozen_layers or 0) / len(outline.layers)
    below = 0.0 if not config.augmentation.enabled else 1 - above
    epoch = train * per_image * (above * _TRAINED_PASS + below * _AUGMENTED_PASS) + held_out * per_image
    trainable = head + outline.trainable_parameters(config.frozen_layers)
    return extraction, PlannedPhase(
        "fine-tuning", config.fine_tune_epochs, trainable, config.fine_tune_epochs * epoch
    )


def _head_parameters(config: TrainingConfig, dataset: Dataset) -> tuple[int, int]:
    backbone = get_backbone(config.backbone)
    shape = feature_shape(backbone, max(backbone.min_image_size, config.image_size or backbone.image_size))
    return config.head.parameters(shape, len(dataset.classes))


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


def _with_text(plan: TrainingPlan, *, early: bool) -> TrainingPlan:
    steps = ", then ".join(f"{phase.title} for {'up to ' * early}{phase.epochs} epochs" for phase in plan.phases)
    share = f"{count_in_words(plan.trainable_parameters)} of {count_in_words(plan.total_parameters)} parameters"
    download = f"{plan.download_mb:.0f} MB to download first" if plan.download_mb else "nothing to download"
    time = f"{'at most ' * early}{duration_in_words(plan.seconds)}" + ("" if plan.measured else " (a rough guess)")
    return replace(plan, text=f"{steps} on {plan.images:,} images; trains {share}; {download}; {time}.")
