"""A configuration as JSON text, to save, to send and to load again."""

from __future__ import annotations

import json
from typing import Final

from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError

MAX_CHARACTERS: Final = 100_000


def to_text(config: TrainingConfig) -> str:
    """The configuration as indented JSON, every setting by its name."""
    return json.dumps(config.to_file(), ensure_ascii=False, indent=2) + "\n"


def from_text(text: str | bytes) -> TrainingConfig:
    """Read what `to_text` wrote, or a part of it: settings left out take their defaults.

    Raises:
        ConfigError: the text is no configuration, or a setting is unknown or out of range.
        NewerVersionError: a newer version of this program wrote it.
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise ConfigError("The configuration is no text file: choose the .json file that was saved here.") from error
    if not text.strip():
        raise ConfigError("The configuration is empty: paste the text that was saved here.")
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"The configuration is too long ({len(text):,} characters): choose the saved .json file.")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = "it is nested too deeply"
        if isinstance(error, json.JSONDecodeError):
            place = f"line {error.lineno}, character {error.colno}"
        raise ConfigError(f"The configuration is not valid JSON ({place}): paste all of the text.") from error
    return TrainingConfig.from_file(values)
