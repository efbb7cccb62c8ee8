"""A report as Markdown: all its words and tables; a figure is told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from tl_core.evaluation.report.blocks import Block, Figure, Heading, Paragraph, Table

_MARKS: Final = frozenset("\\`*_{}[]<>#|~")


def as_markdown(title: str, blocks: Iterable[Block]) -> str:
    """The whole text."""
    parts = [f"# {_plain(title)}", *(_WRITERS[type(block)](block) for block in blocks)]
    return "\n\n".join(parts) + "\n"


def _table(block: Table) -> str:
    rule = f"|{'---|' * len(block.head)}"
    return "\n".join([_row(block.head), rule, *map(_row, block.rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """Text from outside, so that Markdown shows it as it is, on one line."""
    return "".join(f"\\{char}" if char in _MARKS else char for char in " ".join(text.split()))


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    Heading: lambda block: f"## {_plain(block.text)}",
    Paragraph: lambda block: _plain(block.text),
    Table: _table,
    Figure: lambda block: f"*{_plain(block.words)}*",
}
