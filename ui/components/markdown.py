"""Text from outside within Markdown."""

from __future__ import annotations

from typing import Final

_MARKDOWN: Final = frozenset("\\`*_{}[]()<>#+-.!|~:$")


def plain(text: str) -> str:
    """Text from outside (a class, a file, a name), so that Markdown shows it as it is."""
    return "".join(f"\\{char}" if char in _MARKDOWN else char for char in text)
