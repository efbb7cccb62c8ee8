"""From an evaluation to the bytes of a report, as HTML or as Markdown: words and tables, a figure told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tl_core.data import Dataset
from tl_core.errors import ConfigError
from tl_core.evaluation.report.blocks import Block, Figure, Heading, Paragraph, Table
from tl_core.evaluation.report.html import as_html
from tl_core.evaluation.report.measures import Measures
from tl_core.evaluation.report.parts import all_parts, title
from tl_core.runs import RunRecord

_MARKS: Final = frozenset("\\`*_{}[]<>#|~")


def write_report(run: RunRecord, dataset: Dataset, measures: Measures, suffix: str = ".html") -> bytes:
    """The report as a file's content, UTF-8.

    Args:
        run: whose model was measured.
        dataset: that it was measured on.
        measures: what was measured.
        suffix: one of `FORMATS`.
    """
    return FORMATS[suffix](title(run), all_parts(run, dataset, measures)).encode()


def suffix_of(path: Path) -> str:
    """The suffix by which a file name chooses its format.

    Raises:
        ConfigError: there is no such format.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(f"A report is named something.html or something.md. Received: {path.name}.")
    return suffix


def as_markdown(title: str, blocks: Iterable[Block]) -> str:
    """The whole report as Markdown."""
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

FORMATS: Final[dict[str, Callable[[str, Iterable[Block]], str]]] = {
    ".html": as_html,
    ".htm": as_html,
    ".md": as_markdown,
}
