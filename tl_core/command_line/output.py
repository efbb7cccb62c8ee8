"""Results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


class Output:
    """Prints a verb's result as text for people, or as one JSON object."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def say(self, text: str) -> None:
        """A line about what is going on."""
        print(text, file=sys.stderr, flush=True)

    def progress(self, done: int, total: int) -> None:
        """Overwrite one line of a terminal; silent where there is none."""
        if sys.stderr.isatty():
            print(f"\r{done:,} of {total:,}", end="" if done < total else "\n", file=sys.stderr, flush=True)

    def result(self, values: dict[str, Any], lines: Sequence[str]) -> None:
        """The outcome: ``values`` as JSON, or ``lines`` as text."""
        print(json.dumps(values, ensure_ascii=False) if self._as_json else "\n".join(lines), flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a table with aligned columns."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
