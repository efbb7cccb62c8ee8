"""Numbers as a person says them."""

from __future__ import annotations

import math


def format_duration(seconds: float) -> str:
    """Round a duration the way people do: ``about 40 seconds``, ``about 3 minutes``."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds / 5) * 5} seconds"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"about {_counted(minutes, 'minute')}"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"about {_counted(hours, 'hour')}" + (f" {rest} minutes" if rest else "")


def count_in_words(number: int) -> str:
    """Shorten a large count: ``12,810``, ``3.4 million``."""
    return f"{number / 1e6:.1f} million" if number >= 1_000_000 else f"{number:,}"


def format_size(megabytes: float) -> str:
    """So much room on the disk: ``up to 3 MB``, ``up to 1.2 GB``."""
    return f"up to {megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"up to {max(1, math.ceil(megabytes))} MB"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
