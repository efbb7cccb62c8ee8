"""Random changes to training images, so that little data goes further."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final

from tl_core.config.validation import from_mapping, require_choice, require_flag, require_number

FILL_MODES: Final = ("reflect", "nearest", "constant", "wrap")


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationConfig:
    """How far each image may be changed at random; all zero and false means no augmentation."""

    horizontal_flip: bool = False  # mirror left and right in half of the cases
    vertical_flip: bool = False  # mirror top and bottom in half of the cases
    rotation_degrees: float = 0.0  # turned by up to this angle either way, 0-180
    zoom: float = 0.0  # nearer or farther by up to this fraction, 0-0.9
    shift: float = 0.0  # moved by up to this fraction of the width and of the height, 0-0.9
    shear: float = 0.0  # slanted by up to this fraction, 0-1
    brightness: float = 0.0  # brighter or darker by up to this fraction of the full range, 0-1
    contrast: float = 0.0  # more or less contrast by up to this fraction, 0-0.99
    fill_mode: str = "reflect"  # what stands where the image was moved away: reflect, nearest, constant, wrap

    def __post_init__(self) -> None:
        require_flag("Horizontal flip", self.horizontal_flip)
        require_flag("Vertical flip", self.vertical_flip)
        require_number("Rotation (degrees)", self.rotation_degrees, 0, 180)
        require_number("Zoom", self.zoom, 0, 0.9)
        require_number("Shift", self.shift, 0, 0.9)
        require_number("Shear", self.shear, 0, 1)
        require_number("Brightness", self.brightness, 0, 1)
        require_number("Contrast", self.contrast, 0, 0.99)
        require_choice("Fill mode", self.fill_mode, FILL_MODES)

    @property
    def enabled(self) -> bool:
        """Whether any random change is switched on."""
        amounts = (self.rotation_degrees, self.zoom, self.shift, self.shear, self.brightness, self.contrast)
        return self.horizontal_flip or self.vertical_flip or any(amounts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives the same record back."""
        return asdict(self)

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
