"""Checks shared by the configuration records: each raises one sentence that names the setting."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from tl_core.errors import ConfigError

T = TypeVar("T")


def require_number(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> None:
    """Require ``low <= value <= high``, finite, and a whole number if ``whole``."""
    kind = "a whole number" if whole else "a number"
    right_type = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right_type or not math.isfinite(value) or not low <= value <= high:
        raise ConfigError(f"{name} must be {kind} between {low:g} and {high:g}. Received: {value!r}.")


def require_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Require that ``value`` is one of ``choices``."""
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}. Received: {value!r}.")


def require_flag(name: str, value: Any) -> None:
    """Require ``True`` or ``False``."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false. Received: {value!r}.")


def from_mapping(record: type[T], values: Any) -> T:
    """Build a record from a mapping, refusing names the record does not have.

    Raises:
        ConfigError: ``values`` is no mapping, or names an unknown setting.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"A configuration must be a set of named values. Received: {type(values).__name__}.")
    kind: Any = record
    known = _names_of(kind)
    if unknown := values.keys() - known:
        raise ConfigError(
            f"The configuration has an unknown setting: {', '.join(sorted(map(str, unknown)))}. Known are: "
            f"{', '.join(sorted(known))}."
        )
    return record(**values)


@functools.cache  # every run in a list has its configuration read
def _names_of(record: Any) -> frozenset[str]:
    return frozenset(field.name for field in fields(record))
