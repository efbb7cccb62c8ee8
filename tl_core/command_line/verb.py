"""What a verb of the command line is, and what all verbs share: exit codes, output, tables, files they write."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tl_core.errors import WorkspaceError
from tl_core.machine.progress import Progress, TaskContext
from tl_core.storage.workspace import Workspace

DONE: Final = 0
UNEXPECTED: Final = 1
BAD_INPUT: Final = 2
STOPPED: Final = 130  # as a shell reports a program ended by Ctrl-C


class Output:
    """Prints a verb's result as text or as one JSON object; everything else goes to standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.task = TaskContext(self._draw_progress)

    def say(self, text: str) -> None:
        """Print a status line."""
        print(text, file=sys.stderr, flush=True)

    def result(self, values: dict[str, Any], lines: Sequence[str], code: int = DONE) -> int:
        """Print the result, ``values`` as JSON or ``lines`` as text; returns the exit code."""
        print(json.dumps(values, ensure_ascii=False) if self._as_json else "\n".join(lines), flush=True)
        return code

    def _draw_progress(self, at: Progress) -> None:
        """Overwrite one line of a terminal; silent where there is none."""
        if sys.stderr.isatty():
            end = "" if at.done < at.total else "\n"
            print(f"\r{at.done:,.0f} of {at.total:,.0f}", end=end, file=sys.stderr, flush=True)


Argument = tuple[tuple[str, ...], dict[str, Any]]


def argument(*names: str, **how: Any) -> Argument:
    """An argument of a verb, as `argparse.ArgumentParser.add_argument` takes it."""
    return names, how


RUN: Final = argument("run", metavar="RUN", help="id of a run, as `runs` lists them")


class Verb:
    """One command.

    Args:
        run: does it, and returns the exit code.
        arguments: besides ``--json``.
        needs_workspace: whether the workspace is created, and must be writable, before ``run``.
    """

    def __init__(
        self,
        name: str,
        help: str,
        run: Callable[[argparse.Namespace, Workspace, Output], int],
        *arguments: Argument,
        needs_workspace: bool = True,
    ) -> None:
        self.name, self.help, self.run = name, help, run
        self.arguments, self.needs_workspace = arguments, needs_workspace


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a table with aligned columns."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


@contextlib.contextmanager
def writing(path: Path, option: str = "--output") -> Iterator[None]:
    """Translate the errors of writing a file or folder that a person has named with ``option``.

    Raises:
        WorkspaceError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"{path} cannot be written ({error.strerror}): name another file or folder with {option}."
        ) from error
