"""What the events of a run say about its curves: epochs, batches, phases and the best epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from tl_core.config.phases import PHASE_TITLES

TABLE_COLUMNS: Final = ("epoch", "phase", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


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
    pinned: dict[int, list[list[float | None]]] = field(default_factory=dict)  # epoch: probabilities per picture
    best_epoch: int | None = None
    finished: bool = False

    def add(self, events: Iterable[dict[str, Any]]) -> History:
        """Take in further events; returns itself."""
        handlers = {
            "phase": self._on_phase,
            "batch": self._on_batch,
            "epoch": self._on_epoch,
            "pinned": self._on_pinned,
            "end": self._on_end,
        }
        for event in events:
            if handler := handlers.get(event["kind"]):
                handler(event)
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

    def _on_epoch(self, event: dict[str, Any]) -> None:
        number = int(event["epoch"])
        if next(reversed(self.epochs), 0) >= number:
            self.epochs = {earlier: values for earlier, values in self.epochs.items() if earlier < number}
        self.epochs[number] = event
        if event.get("best"):
            self.best_epoch = number

    def _on_pinned(self, event: dict[str, Any]) -> None:
        number = int(event["epoch"])
        if next(reversed(self.pinned), 0) >= number:
            self.pinned = {earlier: values for earlier, values in self.pinned.items() if earlier < number}
        self.pinned[number] = event["probabilities"]

    def _on_end(self, _event: dict[str, Any]) -> None:
        self.finished = True
