"""The curves of a run: read from its events, and reduced to the points that a chart can show."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from tl_core.config.phases import PHASE_TITLES
from tl_core.runs import RunRecord, read_events

SPARKLINE_POINTS: Final = 40
TABLE_COLUMNS: Final = ("epoch", "phase", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")

Value = TypeVar("Value")


@dataclass(slots=True)
class Phase:
    """One training phase and the epoch it begins with."""

    name: str  # head or fine_tune
    first_epoch: int
    last_epoch: int  # if it runs to its planned end


@dataclass(slots=True)
class History:
    """The curves of one run, taken in event by event; a resumed run replaces what it does again."""

    epochs: dict[int, dict[str, Any]] = field(default_factory=dict)  # epoch event by its number, in order
    batches: list[tuple[float, float | None, float | None]] = field(default_factory=list)  # (epoch, accuracy, loss)
    phases: list[Phase] = field(default_factory=list)
    watched: dict[int, list[list[float | None]]] = field(default_factory=dict)  # epoch: probabilities per picture
    best_epoch: int | None = None
    finished: bool = False

    def add(self, events: Iterable[dict[str, Any]]) -> History:
        """Take in further events; returns itself."""
        for event in events:
            match event["kind"]:
                case "phase":
                    self._on_phase(event)
                case "batch":
                    self._on_batch(event)
                case "epoch":
                    self.epochs = _put(self.epochs, event, event)
                    self.best_epoch = int(event["epoch"]) if event.get("best") else self.best_epoch
                case "pinned":
                    self.watched = _put(self.watched, event, event["probabilities"])
                case "end":
                    self.finished = True
        return self

    @property
    def position(self) -> float:
        """How far the run has come, in epochs; 0.5 is the middle of the first."""
        last_epoch = next(reversed(self.epochs), 0)
        return max(float(last_epoch), self.batches[-1][0] if self.batches else 0.0)

    @property
    def planned(self) -> int:
        """The last epoch of the current phase, if it runs to its end; 0 before the first phase."""
        return self.phases[-1].last_epoch if self.phases else 0

    def column(self, name: str) -> list[Any]:
        """One value per epoch, such as ``val_loss``; None where there is none."""
        return [event.get(name) for event in self.epochs.values()]

    def table(self) -> list[list[Any]]:
        """One row per epoch, in the order of `TABLE_COLUMNS`."""
        return [[event.get(name) for name in TABLE_COLUMNS] for event in self.epochs.values()]

    def _on_phase(self, event: dict[str, Any]) -> None:
        self.finished = False
        if event.get("phase") not in PHASE_TITLES:
            return
        name, first = event["phase"], int(event.get("first_epoch", 1))
        last = first + int(event.get("epochs", 1)) - 1
        began = [phase.first_epoch for phase in self.phases if phase.name == name]
        others = [phase for phase in self.phases if phase.name != name]
        self.phases = [*others, Phase(name, min([first, *began]), last)]

    def _on_batch(self, event: dict[str, Any]) -> None:
        place = event["epoch"] - 1 + event["batch"] / max(1, event["batches"])
        while self.batches and self.batches[-1][0] >= place:
            self.batches.pop()
        self.batches.append((place, event.get("accuracy"), event.get("loss")))


def _put(values: dict[int, Value], event: dict[str, Any], value: Value) -> dict[int, Value]:
    """Set the value of the event's epoch; those of later epochs are from before the run was resumed, and go."""
    number = int(event["epoch"])
    if next(reversed(values), 0) >= number:
        values = {earlier: kept for earlier, kept in values.items() if earlier < number}
    values[number] = value
    return values


def accuracy_sparkline(run: RunRecord) -> tuple[float, ...]:
    """Validation accuracy per epoch, 0-1, at most 40 points; empty before the first epoch.

    Reading the same, unchanged run again costs next to nothing.
    """
    try:
        stamp = run.folder.events_file.stat()
    except FileNotFoundError:
        return ()
    return _read_accuracy(run.folder.events_file, stamp.st_size, stamp.st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _read_accuracy(path: Path, _size: int, _modified: int) -> tuple[float, ...]:
    """Read the events; the last two arguments make a file that has grown another key of the cache."""
    history = History().add(event for event in read_events(path) if event["kind"] in {"epoch", "phase"})
    values: list[float] = [value for value in history.column("val_accuracy") if value is not None]
    return tuple(values[place] for place in decimate(values, SPARKLINE_POINTS))


def decimate(values: Sequence[float | None], limit: int) -> list[int]:
    """Choose at most ``limit`` places of a series, so that its line keeps its ends and all its spikes.

    The series is cut into equal stretches, and of each the lowest and the highest value stay (the min-max
    decimation of oscilloscopes). A value that is missing stays only where its whole stretch is missing.

    Args:
        values: the series; None where there is no value.
        limit: at least 4.

    Returns:
        Increasing places in ``values``; all of them if there are no more than ``limit``.
    """
    if limit < 4:
        raise ValueError(f"limit must be at least 4. Received: {limit}.")
    count = len(values)
    if count <= limit:
        return list(range(count))
    stretches = (limit - 2) // 2
    kept = {0, count - 1}
    for stretch in range(stretches):
        begin, end = 1 + stretch * (count - 2) // stretches, 1 + (stretch + 1) * (count - 2) // stretches
        present = [(value, place) for place in range(begin, end) if (value := values[place]) is not None]
        kept.update({min(present)[1], max(present)[1]} if present else {begin})
    return sorted(kept)
