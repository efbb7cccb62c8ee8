"""One part of a program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """A title, a text, and the code."""

    title: str
    text: str
    code: str
