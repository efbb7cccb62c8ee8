"""What is known about one setting, and how some settings are written in a text box."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tl_core.errors import ConfigError

Section = Literal["essentials", "training", "head", "augmentation", "machine"]
Control = Literal["own", "choice", "flag", "fraction", "whole", "rate", "scale", "units"]


def _same(value: Any) -> Any:
    return value


def units_text(units: Any) -> str:
    """Hidden layers as text: ``[256, 128]`` becomes ``"256, 128"``."""
    return ", ".join(str(count) for count in units)


def parse_units(text: Any) -> list[int]:
    """Hidden layers from text.

    Raises:
        ConfigError: something other than whole numbers and commas is in it.
    """
    parts = [part for part in re.split(r"[,;\s]+", str(text)) if part]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(
            f"Hidden layers must be whole numbers with commas between them, such as 256, 128. Received: {text!r}."
        )
    return [int(part) for part in parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting as a person meets it."""

    path: str  # in TrainingConfig.to_dict(), dots for nesting
    label: str
    help: str  # plain words: what it does, and when to touch it
    section: Section
    control: Control
    choices: Mapping[Any, str] = field(default_factory=dict)  # value -> words, for choice
    low: float = 0
    high: float = 1
    step: float = 1
    options: tuple[float, ...] = ()  # the stops of a scale
    to_form: Callable[[Any], Any] = _same  # value in the configuration -> value of the control
    from_form: Callable[[Any], Any] = _same  # and back

    @property
    def key(self) -> str:
        """A name without dots, for its control."""
        return f"train_{self.path.replace('.', '_')}"
