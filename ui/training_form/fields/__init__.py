"""The one table of the form: every setting of a training with its words, its place and its control.

A setting's ``path`` is its place in ``TrainingConfig.to_dict()`` with dots for nesting. The form keeps plain
values by path; what is on the screen, in the text version and in the run is the same set of settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ui.training_form.fields.augmentation import AUGMENTATION
from ui.training_form.fields.essentials import ESSENTIALS
from ui.training_form.fields.field import Control, Field, Section, parse_units, units_text
from ui.training_form.fields.head import HEAD
from ui.training_form.fields.machine import MACHINE
from ui.training_form.fields.training import TRAINING

__all__ = ["FIELDS", "Control", "Field", "Section", "fields_of", "parse_units", "units_text"]

FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {entry.path: entry for entry in (*ESSENTIALS, *TRAINING, *HEAD, *AUGMENTATION, *MACHINE)}
)


def fields_of(section: Section) -> tuple[Field, ...]:
    """The settings of one part of the form, in the order in which they stand there."""
    return tuple(entry for entry in FIELDS.values() if entry.section == section)
