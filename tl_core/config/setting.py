"""The metadata of one setting of a training: its values, its texts, and its control in the form.

It stands as metadata on the field of a configuration record. Validation, the form, the text version, the comparison
of runs and the options of the command line are derived from it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, Self

from tl_core.config.validation import from_mapping, require_choice, require_flag, require_number
from tl_core.errors import ConfigError

Section = Literal["essentials", "training", "head", "augmentation", "machine"]
Control = Literal[
    "own",  # drawn by code of its own
    "choice",  # one of `choices`
    "flag",  # yes or no
    "share",  # a slider from `low` to `high`, shown as a percentage
    "degrees",  # a slider from `low` to `high`
    "whole",  # a box for a whole number; 0 stands for None where the setting is optional
    "rate",  # a learning rate on a logarithmic scale
    "scale",  # one of `options`
    "units",  # units of up to four hidden layers, as text
]

MAX_DENSE_LAYERS: Final = 4
MAX_UNITS: Final = 4096

_KEY: Final = "setting"
_RECORD: Final = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as the form shows it."""

    section: Section  # part of the form
    control: Control
    label: str
    help: str  # what it does, and when to change it
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)  # value -> label
    low: float = 0  # of a number, with `high` inclusive
    high: float | None = None  # None = it is no number
    optional: bool = False  # whether it may be None
    step: float = 0.01  # of a slider
    options: tuple[float, ...] = ()  # the stops of a scale
    option: str = ""  # on the command line, where it is not called as the field
    path: str = ""  # its place in `TrainingConfig.to_dict()`, with dots for nesting; set by `settings_of`

    @property
    def name(self) -> str:
        """Name of the field."""
        return self.path.rpartition(".")[2]

    @property
    def key(self) -> str:
        """A name without dots, for its control."""
        return f"train_{self.path.replace('.', '_')}"

    @property
    def whole(self) -> bool:
        """Whether it is a whole number."""
        return self.control in ("own", "whole") or (self.control == "scale" and isinstance(self.options[0], int))


def setting(section: Section, default: Any, control: Control, label: str, text: str, **more: Any) -> Any:
    """A field of a configuration record; ``text`` is its help, ``more`` as in `Setting`."""
    known = Setting(section=section, control=control, label=label, help=text, **more)
    return dataclasses.field(default=default, metadata={_KEY: known})


def nested(record: type) -> dict[str, type]:
    """Metadata of a field that holds a configuration record with settings of its own."""
    return {_RECORD: record}


def settings_of(config: type, prefix: str = "") -> dict[str, Setting]:
    """Every setting of a record and of the records in it, by its path."""
    found: dict[str, Setting] = {}
    for entry in dataclasses.fields(config):
        path = f"{prefix}{entry.name}"
        if _RECORD in entry.metadata:
            found.update(settings_of(entry.metadata[_RECORD], f"{path}."))
        else:
            found[path] = dataclasses.replace(entry.metadata[_KEY], path=path)
    return found


def format_units(units: Iterable[int]) -> str:
    """Hidden layers as text: ``[256, 128]`` becomes ``"256, 128"``."""
    return ", ".join(map(str, units))


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


class ConfigRecord:
    """Base of the configuration records, which are dataclasses; each setting is checked when one is made.

    Raises:
        ConfigError: a name is unknown, a value has the wrong type or is out of its range.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        kind: Any = self.__class__
        for name, optional, check, _ in _fields_of(kind):
            value = getattr(self, name)
            if value is not None or not optional:
                check(value)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` restores the same record."""
        kind: Any = self.__class__
        values = {name: getattr(self, name) for name, _, _, _ in _fields_of(kind)}
        values |= {name: values[name].to_dict() for name, _, _, record in _fields_of(kind) if record}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Read what `to_dict` wrote; settings left out take their defaults."""
        if isinstance(values, Mapping):
            kind: Any = cls
            records = ((name, record) for name, _, _, record in _fields_of(kind) if record and name in values)
            values = {**values, **{name: record.from_dict(values[name]) for name, record in records}}
        return from_mapping(cls, values)


Check = Callable[[Any], None]


@functools.cache  # every run in a list has its configuration read and checked
def _fields_of(config: Any) -> tuple[tuple[str, bool, Check, type[ConfigRecord] | None], ...]:
    """Field, whether it may be None, what raises if a value is wrong, and its class where it is a record."""
    found: list[tuple[str, bool, Check, type[ConfigRecord] | None]] = []
    for entry in dataclasses.fields(config):
        if record := entry.metadata.get(_RECORD):
            found.append((entry.name, False, partial(_require_record, entry.name, record), record))
        else:
            known: Setting = entry.metadata[_KEY]
            check = _check_of(known, entry.name.replace("_", " ").capitalize())
            found.append((entry.name, known.optional, check, None))
    return tuple(found)


def _check_of(known: Setting, name: str) -> Check:
    low, high, whole, choices = known.low, known.high, known.whole, known.choices
    if high is not None:
        return lambda value: require_number(name, value, low, high, whole=whole)
    if choices:
        return lambda value: require_choice(name, value, choices)
    if known.control == "units":
        return _require_units
    return partial(require_flag if known.control == "flag" else _require_text, name)


def _require_units(units: Sequence[Any]) -> None:
    require_number("The number of dense layers", len(units), 0, MAX_DENSE_LAYERS, whole=True)
    for count in units:
        require_number("The units of a dense layer", count, 1, MAX_UNITS, whole=True)


def _require_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be a text. Received: {value!r}.")


def _require_record(name: str, record: type, value: Any) -> None:
    if not isinstance(value, record):
        raise ConfigError(f"The setting “{name}” has the wrong form. Received: {value!r}.")
