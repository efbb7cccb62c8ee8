"""Every setting of a training with its words, its place and its control.

A setting's ``path`` is its place in ``TrainingConfig.to_dict()`` with dots for nesting. What is on the screen, in the
text version, in a comparison and in the run is the same set of settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tl_core.config.fields.augmentation import AUGMENTATION
from tl_core.config.fields.essentials import ESSENTIALS
from tl_core.config.fields.field import Field, Section
from tl_core.config.fields.head import HEAD
from tl_core.config.fields.machine import MACHINE
from tl_core.config.fields.training import TRAINING

FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {entry.path: entry for entry in (*ESSENTIALS, *TRAINING, *HEAD, *AUGMENTATION, *MACHINE)}
)


def fields_of(section: Section) -> tuple[Field, ...]:
    """The settings of one part of the form, in the order in which they stand there."""
    return tuple(entry for entry in FIELDS.values() if entry.section == section)
