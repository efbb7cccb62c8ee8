"""The settings of a training in people's words: one table that the form, a comparison and the pages share."""

from tl_core.config.fields.field import Control, Field, Section, parse_units, units_text
from tl_core.config.fields.format import (
    backbone_title,
    flatten,
    format_frozen,
    format_rates,
    format_settings,
)
from tl_core.config.fields.table import FIELDS, fields_of

__all__ = [
    "FIELDS",
    "Control",
    "Field",
    "Section",
    "backbone_title",
    "fields_of",
    "flatten",
    "format_frozen",
    "format_rates",
    "format_settings",
    "parse_units",
    "units_text",
]
