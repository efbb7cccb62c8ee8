"""Random changes to training images, so that little data goes further."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from tl_core.config.setting import ConfigRecord, setting
from tl_core.config.validation import from_mapping, require_choice

_change = partial(setting, "augmentation")


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationConfig(ConfigRecord):
    """How far each image may be changed at random; all zero and false means no augmentation.

    Flips happen in half of the cases; every other change is drawn evenly from nothing to its amount, either way.
    """

    horizontal_flip: bool = _change(
        False,
        "flag",
        "Mirror left and right",
        "Off where left and right mean something, such as letters and digits.",
    )
    vertical_flip: bool = _change(
        False, "flag", "Mirror top and bottom", "For images without an up, such as microscope or satellite pictures."
    )
    rotation_degrees: float = _change(
        0.0, "degrees", "Rotation (degrees)", "Turned by up to this angle, either way.", high=180, step=1
    )
    zoom: float = _change(0.0, "share", "Zoom", "Nearer or farther by up to this share.", high=0.9)
    shift: float = _change(
        0.0, "share", "Shift", "Moved sideways and up or down by up to this share of the image.", high=0.9
    )
    shear: float = _change(0.0, "share", "Shear", "Slanted sideways by up to this share of the image.", high=1)
    brightness: float = _change(
        0.0, "share", "Brightness", "Brighter or darker by up to this share of the full range.", high=1
    )
    contrast: float = _change(0.0, "share", "Contrast", "More or less contrast by up to this share.", high=0.99)
    fill_mode: str = _change(
        "reflect",
        "choice",
        "Fill empty borders with",
        "What stands where the image was moved away from its edge.",
        choices={"reflect": "Reflection", "nearest": "Nearest pixel", "constant": "Black", "wrap": "Other side"},
    )

    @property
    def enabled(self) -> bool:
        """Whether any random change is switched on."""
        amounts = (self.rotation_degrees, self.zoom, self.shift, self.shear, self.brightness, self.contrast)
        return self.horizontal_flip or self.vertical_flip or any(amounts)

    @classmethod
    def from_dict(cls, values: Any) -> AugmentationConfig:
        """Read what `to_dict` wrote; also a level's name (none, light, medium, strong).

        Raises:
            ConfigError: a name is unknown or a value out of its range.
        """
        if isinstance(values, str):
            require_choice("Augmentation", values, AUGMENTATION_LEVELS)
            return AUGMENTATION_LEVELS[values]
        return from_mapping(cls, values)


AUGMENTATION_LEVELS: Final = MappingProxyType(
    {
        "none": AugmentationConfig(),
        "light": AugmentationConfig(horizontal_flip=True, rotation_degrees=8, zoom=0.08, shift=0.05),
        "medium": AugmentationConfig(
            horizontal_flip=True, rotation_degrees=20, zoom=0.15, shift=0.1, brightness=0.1, contrast=0.1
        ),
        "strong": AugmentationConfig(
            horizontal_flip=True,
            rotation_degrees=36,
            zoom=0.25,
            shift=0.2,
            shear=0.1,
            brightness=0.2,
            contrast=0.25,
        ),
    }
)
