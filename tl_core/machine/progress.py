"""How long work reports its progress, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from tl_core.errors import StoppedError

ShouldStop: TypeAlias = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is."""

    done: float = 0  # of `total`, in the unit of the work: images, bytes, a share
    total: float = 0  # 0 = not known yet
    text: str = ""  # what is done just now, where there is more than one thing to do
    begin: float = 0.0  # share of the whole work, 0-1, with which this part of it begins ...
    end: float = 1.0  # ... and ends
    reached: float = 0.0  # share of the whole that was done before, whatever the parts say

    @property
    def fraction(self) -> float:
        """How much of the whole work is done, 0-1; it never falls."""
        done = min(1.0, self.done / self.total) if self.total else 0.0
        return max(self.reached, self.begin + (self.end - self.begin) * done)


class TaskContext:
    """The context of long work: it reports its progress here, and checks here whether to stop.

    Args:
        on_progress: called with every report, in the thread of the work.
        should_stop: checked as often as the work can stop; None = it goes on to its end.
    """

    def __init__(
        self, on_progress: Callable[[Progress], None] | None = None, should_stop: ShouldStop | None = None
    ) -> None:
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._reached = 0.0

    def report(self, done: float, total: float, text: str = "") -> None:
        """Report the progress; arguments as the fields of `Progress`."""
        self._tell(Progress(done, total, text))

    def _tell(self, told: Progress) -> None:
        if self._on_progress is None:
            return
        told = replace(told, reached=self._reached)
        self._reached = told.fraction
        self._on_progress(told)

    def part(self, begin: float, end: float) -> TaskContext:
        """For a part of the work that counts by itself, from one share of the whole (0-1) to another."""

        def tell(told: Progress) -> None:
            width = end - begin
            self._tell(replace(told, begin=begin + width * told.begin, end=begin + width * told.end))

        return TaskContext(tell, self._should_stop)

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._should_stop is not None and self._should_stop()

    def stop_if_asked(self, sentence: str) -> None:
        """Raise `StoppedError` with this sentence once a stop was requested."""
        if self.should_stop():
            raise StoppedError(sentence)

    def without_progress(self) -> TaskContext:
        """For a part of the work whose progress is not reported: it stops as this does."""
        return TaskContext(should_stop=self._should_stop)


UNATTENDED: Final = TaskContext()  # reports to nothing and is never stopped
