"""What a verb of the command line is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tl_core.command_line.output import Output
from tl_core.storage.workspace import Workspace

DONE: Final = 0
UNEXPECTED: Final = 1
BAD_INPUT: Final = 2
STOPPED: Final = 130  # as a shell reports a program ended by Ctrl-C


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that the command line can do."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Workspace, Output], int]  # gives the exit code
    needs_workspace: bool = True  # whether the workspace must be there, and writable, before it begins


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """For verbs that take none of their own."""
