"""Everything that decides what a training does, apart from the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from tl_core.config.augmentation import AugmentationConfig
from tl_core.config.head import HeadConfig
from tl_core.config.setting import ConfigRecord, Setting, nested, setting, settings_of
from tl_core.storage.schemas import CONFIGURATION

LEARNING_RATE_RANGE: Final = (1e-7, 1.0)
MAX_EPOCHS: Final = 1000

_essentials, _training = partial(setting, "essentials"), partial(setting, "training")
_augmentation, _machine = partial(setting, "augmentation"), partial(setting, "machine")

DEFAULT_HEAD: Final = HeadConfig(feature_normalization="layer", dense_units=(512,), dropout=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig(ConfigRecord):
    """One training: a backbone, how much of it stays frozen, a head, and how to fit them.

    Phase 1 (feature extraction) trains the head for ``epochs`` with the whole backbone frozen. Phase 2
    (fine-tuning) then trains the backbone's layers from ``frozen_layers`` on as well, for ``fine_tune_epochs``,
    with the lower rate. Without layers to unfreeze, or with ``fine_tune_epochs=0``, there is phase 1 alone.

    The defaults were chosen by experiment: docs/defaults.md.
    """

    preset: str = _essentials(  # a label: it changes nothing
        "quick_start",
        "own",
        "Goal or recipe",
        "A tried recipe that fills in the whole form. You can change anything afterwards.",
    )
    backbone: str = _essentials(  # name in `tl_core.backbones.registry`
        "efficientnet_lite0",
        "own",
        "Backbone",
        "A network that has already learned to see on 1.2 million ImageNet photos. Yours builds on it.",
    )
    frozen_layers: int | None = _essentials(  # the first n layers of the backbone; None = all of them
        None,
        "own",
        "Frozen layers",
        "Frozen layers keep what they learned on ImageNet; the others adapt to your images. Early layers see edges, "
        "colours and textures, which are the same everywhere; late layers see things peculiar to ImageNet. So "
        "unfreeze from the end, and fewer layers the less data you have.",
        high=100_000,
        optional=True,
        option="--frozen",
    )
    epochs: int = _essentials(
        60,
        "whole",
        "Epochs",
        "How many times the head sees all training images while the backbone is frozen. The best epoch is kept, so a "
        "few too many do no harm.",
        low=1,
        high=MAX_EPOCHS,
    )
    learning_rate: float = _essentials(
        2e-3,
        "rate",
        "Learning rate",
        "How large a step each update takes. Too large and the curve jumps about or explodes; too small and it "
        "crawls. 0.001 is a good start for a new head.",
        low=LEARNING_RATE_RANGE[0],
        high=LEARNING_RATE_RANGE[1],
    )
    fine_tune_epochs: int = _essentials(
        0,
        "whole",
        "Fine-tuning epochs",
        "How many times the unfrozen layers see all training images, after the head has been trained. 0 leaves "
        "fine-tuning out.",
        high=MAX_EPOCHS,
    )
    fine_tune_learning_rate: float = _essentials(
        5e-4,
        "rate",
        "Fine-tuning rate",
        "The learning rate once backbone layers learn too. Take it 4 to 100 times smaller than the head's: large "
        "updates would destroy what the backbone has learned.",
        low=LEARNING_RATE_RANGE[0],
        high=LEARNING_RATE_RANGE[1],
    )

    batch_size: int = _training(
        32,
        "scale",
        "Batch size",
        "Images per update. Smaller batches need less memory; larger ones are faster on a GPU.",
        low=1,
        high=1024,
        options=(4, 8, 16, 24, 30, 32, 48, 64, 96, 128, 256),
    )
    optimizer: str = _training(
        "adam",
        "choice",
        "Optimizer",
        "The rule that turns errors into updates. Adam suits almost everything; AdamW adds weight decay; RMSprop is "
        "what many classic recipes use; SGD with momentum (0.9) is slow, steady and needs a larger rate.",
        choices={"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD, momentum"},
    )
    weight_decay: float = _training(  # decoupled
        0.0,
        "scale",
        "Weight decay",
        "Pulls all weights a little towards zero at each step, against over-fitting. Only for AdamW and SGD.",
        high=1,
        options=(0.0, 1e-6, 1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1),
    )
    schedule: str = _training(
        "cosine",
        "choice",
        "Rate schedule",
        "How the learning rate changes within a phase. Constant: not at all. Cosine: falls smoothly to zero. On "
        "plateau: falls whenever the validation loss stops improving.",
        choices={"constant": "Constant", "cosine": "Cosine", "plateau": "On plateau"},
    )
    early_stopping_patience: int | None = _training(  # None = off
        None,
        "whole",
        "Early stopping: patience",
        "Ends a phase after so many epochs without a better validation loss. 0 = never stop early. The best epoch is "
        "kept either way.",
        low=1,
        high=MAX_EPOCHS,
        optional=True,
        option="--patience",
    )
    label_smoothing: float = _training(  # share of the target spread over the other classes
        0.05,
        "share",
        "Label smoothing",
        "Teaches the model to be a little less than certain, which helps when some labels are wrong. 0.1 is usual, "
        "0 is off.",
        high=0.5,
    )
    class_weights: bool = _training(
        False,
        "flag",
        "Balance the classes",
        "Counts images of rare classes more, so that each class matters the same. Turn it on when some classes have "
        "many more images than others.",
    )

    head: HeadConfig = field(default=DEFAULT_HEAD, metadata=nested(HeadConfig))
    augmentation: AugmentationConfig = field(default=AugmentationConfig(), metadata=nested(AugmentationConfig))
    augmentation_mode: str = _augmentation(
        "full",
        "choice",
        "Random versions",
        "New in every epoch: each image is changed anew and runs through the whole backbone; exact and slow. Reused: "
        "each image goes through the frozen backbone in a few random versions once, and every epoch draws among "
        "them; fast.",
        choices={"full": "New in every epoch", "cached_views": "Reuse them (faster)"},
    )
    views: int = _augmentation(
        8,
        "whole",
        "Random versions per image",
        "So many of each image are computed once and reused. More mean more variety and a longer preparation.",
        low=1,
        high=64,
    )

    image_size: int | None = _machine(  # None = as the backbone was trained
        None,
        "own",
        "Image size",
        "Width and height, in pixels, of what the backbone sees. Smaller is faster; details get lost.",
        low=32,
        high=1024,
        optional=True,
    )
    fit: str = _machine(
        "squeeze",
        "choice",
        "Pictures that are not square",
        "The network sees squares. Squeeze: the whole picture, its shape lost, so that a circle and an ellipse may "
        "look the same. Border: the whole picture in its shape, with a plain border. Crop: the middle square; what "
        "lies outside is not seen.",
        choices={"squeeze": "Squeeze", "border": "Border", "crop": "Crop"},
    )
    weights: str = _machine(
        "imagenet",
        "choice",
        "The backbone starts from",
        "The weights before training. ImageNet: learned from 1.2 million photos; this is transfer learning. Random: "
        "nothing learned, to see how much transfer learning helps.",
        choices={"imagenet": "ImageNet", "random": "Random"},
    )
    keep_last_epochs: int = _machine(
        0,
        "whole",
        "Keep the last epochs",
        "Keeps the models of the last few epochs (checkpoints) beside the best one: the Predict page can ask each of "
        "them, also while the training goes on. Only the weights that learn take space on the disk. 0 = keep only "
        "the best epoch.",
        high=10,
    )
    precision: str = _machine(
        "auto",
        "choice",
        "Precision",
        "The number format of the computation. Automatic takes the fastest that this machine does well; float32 is "
        "the safest; the 16-bit formats halve the memory.",
        choices={
            "auto": "Automatic",
            "float32": "float32",
            "mixed_float16": "Mixed float16",
            "mixed_bfloat16": "Mixed bfloat16",
        },
    )
    seed: int = _machine(
        42,
        "whole",
        "Seed",
        "The start of everything random. The same seed gives the same curve on a CPU.",
        high=2**31 - 1,
    )

    def to_file(self) -> dict[str, Any]:
        """What a file holds: plain values with the version of their form; `from_file` restores the same record."""
        return CONFIGURATION.stamped(self.to_dict())

    @classmethod
    def from_file(cls, values: Any) -> TrainingConfig:
        """Read what `to_file` wrote, in this or an earlier version; settings left out take their defaults.

        Raises:
            ConfigError: a name is unknown or a value out of its range.
            NewerVersionError: a newer version of this program wrote it.
        """
        return cls.from_dict(CONFIGURATION.upgraded(values))


SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType(settings_of(TrainingConfig))
"""Every setting by its path in `TrainingConfig.to_dict()`: ``learning_rate``, ``head.dropout``."""


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their paths: ``{"head": {"dropout": 0.2}}`` becomes ``{"head.dropout": 0.2}``."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        path = f"{prefix}{name}"
        flat.update(flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return flat
