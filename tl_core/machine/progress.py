"""How long work reports its progress, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tl_core.errors import StoppedError

Progress: TypeAlias = Callable[[int, int], None]  # (done, total), called from the importing thread
ShouldStop: TypeAlias = Callable[[], bool]


def ignore_progress(done: int, total: int) -> None:
    """Ignore the progress."""


def never() -> bool:
    """Never stop."""
    return False


def stop_if_asked(should_stop: ShouldStop) -> None:
    """Raise `StoppedError` once a stop was requested."""
    if should_stop():
        raise StoppedError("The import was stopped; nothing of it was kept.")
