"""The settings of a training in people's words: one table that the form, a comparison and the pages share."""

from tl_core.settings.field import Control, Field, Section, parse_units, units_text
from tl_core.settings.rates import format_rate
from tl_core.settings.table import FIELDS, fields_of
from tl_core.settings.words import backbone_title, fine_tunes, flatten, frozen_words, rates_words, settings_in_words

__all__ = [
    "FIELDS",
    "Control",
    "Field",
    "Section",
    "backbone_title",
    "fields_of",
    "fine_tunes",
    "flatten",
    "format_rate",
    "frozen_words",
    "parse_units",
    "rates_words",
    "settings_in_words",
    "units_text",
]
