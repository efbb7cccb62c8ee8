"""Following a run's events: read piece by piece, once for all the browsers that watch, and not too often."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tl_core.figures.history import History
from tl_core.machine.hardware import detect_hardware
from tl_core.runs import EventReader, RunProgress, RunRecord

# Kept in memory; the run looked at longest ago is read again when it is asked for again. More than one comparison can
# hold (ui.runs_page.compare), else each of its runs would push out the one that is needed next.
FOLLOWED_RUNS: Final = 32
FEW_CORES: Final = 2


def refresh_seconds(seconds: float) -> float:
    """How often a page looks at a training: so often, and half as often where the training has few processors.

    Each look has the browser draw for a fifth of a second on a slow one, which is time of the training where the two
    share the processors, as on a laptop.
    """
    return seconds if detect_hardware().cores > FEW_CORES else 2 * seconds


@dataclass(slots=True)
class Feed:
    """The content of one run's events so far."""

    reader: EventReader
    history: History = field(default_factory=History)
    progress: RunProgress = field(default_factory=RunProgress)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _furthest: float = 0.0  # share of the training at work that a bar has shown ...
    _of_start: int = 0  # ... since it began, or went on, for the so many-th time

    def furthest(self, run: RunRecord, share: float) -> float:
        """How far the bar of a run is: it never runs backwards while a training works, however its end is guessed.

        Args:
            run: whose feed this is.
            share: of the whole training that is done by the guess of this moment, 0-1.
        """
        if run.status != "running" or self._of_start != self.progress.starts:
            self._furthest, self._of_start = 0.0, self.progress.starts
        if run.status == "running":
            self._furthest = max(self._furthest, share)
        return self._furthest

    def update(self) -> None:
        """Take in what has been written since the last time."""
        new = self.reader.read_new()
        if new.restarted:
            self.history, self.progress = History(), RunProgress()
        self.history.add(new.events)
        self.progress.add(new.events)


@contextlib.contextmanager
def following(run: RunRecord) -> Iterator[Feed]:
    """Give the run's feed, up to date; nobody else changes it inside the block."""
    feed = _feed(run.folder.events_file)
    with feed.lock:
        feed.update()
        yield feed


# Of the process, not of a browser session: a run of hours has tens of thousands of events, and to read them all
# every second for every viewer would keep a core busy. Nothing in here is more than a copy of the run folder.
@functools.lru_cache(maxsize=FOLLOWED_RUNS)
def _feed(path: Path) -> Feed:
    return Feed(EventReader(path))
