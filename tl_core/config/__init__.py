"""The configuration of a training: validated, immutable, and the same in the form, the file and the run."""

from tl_core.config.augmentation import AUGMENTATION_LEVELS, AugmentationConfig
from tl_core.config.head import HeadConfig
from tl_core.config.setting import Section, Setting
from tl_core.config.training import SETTINGS, TrainingConfig, flatten

__all__ = [
    "AUGMENTATION_LEVELS",
    "SETTINGS",
    "AugmentationConfig",
    "HeadConfig",
    "Section",
    "Setting",
    "TrainingConfig",
    "flatten",
]
