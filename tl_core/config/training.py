"""Everything that decides what a training does, apart from the images."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from tl_core.config.augmentation import AugmentationConfig
from tl_core.config.head import HeadConfig
from tl_core.config.validation import from_mapping, require_choice, require_flag, require_number
from tl_core.errors import ConfigError

WEIGHTS: Final = ("imagenet", "random")
OPTIMIZERS: Final = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES: Final = ("constant", "cosine", "plateau")
PRECISIONS: Final = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
AUGMENTATION_MODES: Final = ("cached_views", "full")
LEARNING_RATE_RANGE: Final = (1e-7, 1.0)
MAX_EPOCHS: Final = 1000
MAX_KEPT_EPOCHS: Final = 10

DEFAULT_HEAD: Final = HeadConfig(feature_normalization="layer", dense_units=(512,), dropout=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """One training: a backbone, how much of it stays frozen, a head, and how to fit them.

    Phase 1 (feature extraction) trains the head for ``epochs`` with the whole backbone frozen. Phase 2
    (fine-tuning) then trains the backbone's layers from ``frozen_layers`` on as well, for ``fine_tune_epochs``,
    with the lower rate. Without layers to unfreeze, or with ``fine_tune_epochs=0``, there is phase 1 alone.

    The defaults were chosen by experiment: docs/defaults.md.
    """

    preset: str = "quick_start"  # the preset this began as; a label, changes nothing
    backbone: str = "efficientnet_lite0"  # name in `tl_core.backbones.registry`
    weights: str = "imagenet"  # imagenet (pretrained) or random (for tests and lessons)
    image_size: int | None = None  # pixels, width and height of what the backbone sees; None = its own size
    frozen_layers: int | None = None  # the first n layers of the backbone stay frozen; None = all of them
    head: HeadConfig = DEFAULT_HEAD
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    augmentation_mode: str = "full"  # full (new every epoch) or cached_views (drawn from `views` kept views)
    views: int = 8  # random views per image kept by cached_views

    epochs: int = 60  # of feature extraction, 1-1000
    learning_rate: float = 2e-3  # of feature extraction
    fine_tune_epochs: int = 0  # of fine-tuning, 0-1000
    fine_tune_learning_rate: float = 1e-4  # 10 to 100 times below `learning_rate`
    batch_size: int = 32  # images per step, 1-1024
    optimizer: str = "adam"  # adam, adamw, rmsprop, sgd (with momentum 0.9)
    weight_decay: float = 0.0  # decoupled, used by adamw and sgd alone, 0-1
    schedule: str = "cosine"  # of the learning rate within a phase: constant, cosine, plateau
    label_smoothing: float = 0.05  # share of the target spread over the other classes, 0-0.5
    class_weights: bool = False  # weigh rare classes up, so that each class counts the same
    early_stopping_patience: int | None = None  # epochs without a better val_loss before a phase ends; None = off
    keep_last_epochs: int = 0  # how many of the last epochs are kept beside the best one, 0-10
    precision: str = "auto"  # of computation: auto, float32, mixed_float16, mixed_bfloat16
    seed: int = 42  # of everything random: the same seed gives the same curve on a CPU

    def __post_init__(self) -> None:
        _require_records(self)
        require_choice("Weights", self.weights, WEIGHTS)
        if self.image_size is not None:
            require_number("Image size", self.image_size, 32, 1024, whole=True)
        if self.frozen_layers is not None:
            require_number("Frozen layers", self.frozen_layers, 0, 100_000, whole=True)
        require_choice("Augmentation mode", self.augmentation_mode, AUGMENTATION_MODES)
        require_number("Views", self.views, 1, 64, whole=True)
        require_number("Epochs", self.epochs, 1, MAX_EPOCHS, whole=True)
        require_number("Learning rate", self.learning_rate, *LEARNING_RATE_RANGE)
        require_number("Fine-tuning epochs", self.fine_tune_epochs, 0, MAX_EPOCHS, whole=True)
        require_number("Fine-tuning learning rate", self.fine_tune_learning_rate, *LEARNING_RATE_RANGE)
        require_number("Batch size", self.batch_size, 1, 1024, whole=True)
        require_choice("Optimizer", self.optimizer, OPTIMIZERS)
        require_number("Weight decay", self.weight_decay, 0, 1)
        require_choice("Schedule", self.schedule, SCHEDULES)
        require_number("Label smoothing", self.label_smoothing, 0, 0.5)
        require_flag("Class weights", self.class_weights)
        if self.early_stopping_patience is not None:
            require_number("Early stopping patience", self.early_stopping_patience, 1, MAX_EPOCHS, whole=True)
        require_number("Epochs to keep", self.keep_last_epochs, 0, MAX_KEPT_EPOCHS, whole=True)
        require_choice("Precision", self.precision, PRECISIONS)
        require_number("Seed", self.seed, 0, 2**31 - 1, whole=True)

    def with_more_epochs(self, epochs: int) -> TrainingConfig:
        """The same training with so many epochs more in its last phase.

        Raises:
            ConfigError: that would be more than a phase may have.
        """
        name = "fine_tune_epochs" if self.fine_tune_epochs and self.frozen_layers is not None else "epochs"
        change: dict[str, Any] = {name: getattr(self, name) + epochs}
        return replace(self, **change)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives the same record back."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {**values, "head": self.head.to_dict(), "augmentation": self.augmentation.to_dict()}

    @classmethod
    def from_dict(cls, values: Any) -> TrainingConfig:
        """Read what `to_dict` wrote; settings left out take their defaults.

        Raises:
            ConfigError: a name is unknown or a value out of its range.
        """
        nested: dict[str, Any] = {}
        if isinstance(values, dict):
            readers = {"head": HeadConfig.from_dict, "augmentation": AugmentationConfig.from_dict}
            nested = {name: read(values[name]) for name, read in readers.items() if name in values}
            values = {**values, **nested}
        return from_mapping(cls, values)


def _require_records(config: TrainingConfig) -> None:
    expected = {"preset": str, "backbone": str, "head": HeadConfig, "augmentation": AugmentationConfig}
    for name, kind in expected.items():
        if not isinstance(getattr(config, name), kind):
            raise ConfigError(f"The setting “{name}” has the wrong form. Received: {getattr(config, name)!r}.")
