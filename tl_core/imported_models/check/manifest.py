"""What goes with a model file that is exported: class names, input size, how doubtful answers are given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from tl_core.config.validation import require_number
from tl_core.data.decoding import DECODING, FITS
from tl_core.data.imports.class_names import clean_class_name, clean_text
from tl_core.errors import ConfigError, ModelFileError
from tl_core.inference.calibration import TEMPERATURES

MANIFEST: Final = "manifest.json"  # in the zip of an export
LABELS: Final = "labels.txt"
LABELS_AS_JSON: Final = "labels.json"  # in the zip that a run offers for download

_TITLE: Final = 100  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A model as its exporter describes it."""

    name: str
    classes: tuple[str, ...]  # in the order of the model's outputs
    image_size: int | None = None  # pixels
    fit: str = "squeeze"  # see `tl_core.data.normalise.Reading`
    decoding: int = 1
    model_sha256: str | None = None  # of the model's file, where the format has one file
    temperature: float = 1.0  # see `tl_core.inference.calibration`
    threshold: float = 0.0
    backbone: str = ""
    trained: str = ""  # ISO 8601
    made_with: str = ""  # versions, in words

    def __post_init__(self) -> None:
        texts = (self.name, self.backbone, self.trained, self.made_with, self.model_sha256 or "", *self.classes)
        if not all(isinstance(text, str) for text in texts):
            raise ConfigError("A manifest holds its names as text.")
        require_number("Temperature", self.temperature, *TEMPERATURES)
        require_number("Threshold", self.threshold, 0, 1)
        if self.fit not in FITS or self.decoding not in range(1, DECODING + 1):
            raise ConfigError("The manifest asks for pictures in a way that this version does not know.")

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Read an untrusted one.

        Raises:
            ModelFileError: it is damaged.
        """
        known = {field.name for field in fields(cls)}  # a later version may have more
        try:
            values = {name: value for name, value in json.loads(text).items() if name in known}
            if not isinstance(values["classes"], list):
                raise TypeError("the classes are no list")
            return cls(**{**values, "classes": tuple(values["classes"])})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ConfigError) as error:
            raise ModelFileError(
                "The manifest beside the model is damaged: export the model again, or bring the .keras file alone."
            ) from error


def checked_classes(names: Sequence[Any], expected: int) -> tuple[str, ...]:
    """Class names made safe to show, one per output of a model.

    Raises:
        ModelFileError: there are too few or too many of them, or two are the same.
    """
    if not all(isinstance(name, str) for name in names):
        raise ModelFileError("The class names beside the model are damaged: bring the .keras file and type them.")
    cleaned = tuple(clean_class_name(name) for name in names)
    if len(cleaned) != expected:
        raise ModelFileError(
            f"The model tells {expected:,} classes apart, and {len(cleaned):,} names were given: give one name per "
            "class, in the order in which it was trained."
        )
    if twice := next((name for name in cleaned if cleaned.count(name) > 1), None):
        raise ModelFileError(f"Two classes are called “{twice}”: give each a name of its own.")
    return cleaned


def names_in_lines(text: str) -> list[str]:
    """Class names that stand one per line; empty lines do not count."""
    return [line for line in text.splitlines() if line.strip()]


def shown_title(text: str) -> str:
    """A name from outside, short and on one line."""
    return clean_text(text)[:_TITLE].strip()
