"""Where a run stands, folded from its events."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tl_core.config import TrainingConfig
from tl_core.config.phases import HEAD, PHASE_TITLES, extended, phases_of
from tl_core.runs.record import RunRecord
from tl_core.storage.event_log import Event, read_events

FIRST_STAGE: Final = "prepare"  # with which a training begins, and one that goes on
ENDING_STAGES: Final = ("evaluate", "save")  # once all epochs are done
METRICS: Final = ("loss", "accuracy", "val_loss", "val_accuracy")
_OF_BEST: Final = ("epoch", "val_loss", "val_accuracy")


@dataclass(slots=True)
class RunProgress:
    """The state of a run after the events `add` was given, in the order in which they happened."""

    phase: str | None = None
    training_phase: str | None = None  # the last phase that trains; what is between two of them is none
    text: str = ""  # the phase in words
    fraction: float = 0.0  # of the current phase that is done, 0-1
    epoch: int = 0  # 0 before the first; counted over both phases
    epochs: int = 0  # last epoch of the current phase, if it runs to its end
    batch: int = 0
    batches: int = 0
    images: int = 0  # done in this phase, where it goes through them once
    images_total: int = 0  # 0 where the phase goes by epochs
    images_per_second: float | None = None
    current: dict[str, float] = field(default_factory=dict)  # latest value of each of `METRICS`
    best: dict[str, float] | None = None  # epoch, val_loss, val_accuracy of the model that would be kept
    notes: list[str] = field(default_factory=list)
    finished: bool = False
    starts: int = 0  # how often it has gone on after an end, or after it was cut off
    _began: float | None = None  # Unix seconds of the first event
    _paused: float = 0.0  # seconds between an end and what came after it
    _phase_began: float = 0.0
    _last: float = 0.0
    _first_epoch: int = 1

    def add(self, events: Iterable[Event]) -> RunProgress:
        """Take in further events; returns itself."""
        for event in events:
            self._on_time(event)
            self._began = self._last if self._began is None else self._began
            match event["kind"]:
                case "phase":
                    self._on_phase(event)
                case "progress":
                    self.images, self.images_total = event["done"], event["total"]
                    self.fraction = min(1.0, self.images / max(1, self.images_total))
                    self.images_per_second = event.get("images_per_second")
                case "batch":
                    self.epoch, self.batch, self.batches = event["epoch"], event["batch"], event["batches"]
                    self.images_per_second = event.get("images_per_second", self.images_per_second)
                    self._on_training(event, event["epoch"] - 1 + event["batch"] / max(1, event["batches"]))
                case "epoch":
                    self.epoch, self.batch = event["epoch"], self.batches
                    self._on_training(event, event["epoch"])
                    if event.get("best"):
                        self.best = {name: event[name] for name in _OF_BEST if name in event}
                case "note":
                    self.notes.append(event.get("text", ""))
                case "end":
                    self.text, self.finished, self.fraction = event.get("text", ""), True, 1.0
        return self

    def elapsed_seconds(self, now: float) -> float:
        """Seconds that the run has worked; stands still once it has finished, or while it waits to go on.

        Args:
            now: the current time in Unix seconds.
        """
        if self._began is None:
            return 0.0
        return max(0.0, (self._last if self.finished else now) - self._began - self._paused)

    @property
    def worked(self) -> float:
        """Seconds from the first event to the last, without what was paused between them."""
        return 0.0 if self._began is None else max(0.0, self._last - self._began - self._paused)

    def remaining_seconds(self, now: float) -> float | None:
        """Seconds the current phase still needs at its pace so far, or None where nothing can be said yet."""
        if self.finished or self.fraction <= 0.02:
            return None
        return max(0.0, (self._last - self._phase_began) / self.fraction * (1 - self.fraction) - (now - self._last))

    def phase_seconds(self, now: float) -> float:
        """Seconds since the current phase, or what is between two phases, began."""
        return 0.0 if self.finished or self._began is None else max(0.0, now - self._phase_began)

    def _on_time(self, event: Event) -> None:
        """A run that goes on after its end, or after it was cut off, was paused until then."""
        at = float(event.get("t", self._last))
        goes_on = self.finished or (event["kind"] == "phase" and event["phase"] == FIRST_STAGE)
        if goes_on and self._began is not None:
            self._paused += max(0.0, at - self._last)
            self.starts += 1
        self._last = at

    def _on_phase(self, event: Event) -> None:
        self.phase, self.text = event["phase"], event.get("text", "")
        self.fraction, self.images_per_second, self.finished = 0.0, None, False  # a resumed run goes on after its end
        self.images = self.images_total = 0
        self._phase_began = self._last
        if self.phase in PHASE_TITLES:
            self.training_phase = self.phase
            self._first_epoch = int(event.get("first_epoch", 1))
            self.epochs = self._first_epoch + int(event.get("epochs", 1)) - 1
            self.batch, self.batches = 0, int(event.get("steps", 0))

    def _on_training(self, event: Event, epochs_done: float) -> None:
        self.current.update({name: event[name] for name in METRICS if event.get(name) is not None})
        length = max(1, self.epochs - self._first_epoch + 1)
        self.fraction = min(1.0, max(0.0, (epochs_done - self._first_epoch + 1) / length))


def read_progress(run: RunRecord) -> RunProgress:
    """Where a run stands now, from all its events."""
    return RunProgress().add(read_events(run.folder.events_file))


def worked_seconds(run: RunRecord) -> float:
    """Seconds that a run has worked until its last event, without its pauses; 0 before its first one.

    Reading the same, unchanged run again costs next to nothing.
    """
    try:
        stamp = run.folder.events_file.stat()
    except FileNotFoundError:
        return 0.0
    return _worked(run.folder.events_file, stamp.st_size, stamp.st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _worked(path: Path, _size: int, _modified: int) -> float:
    """Read the events; the last two arguments make a file that has grown another key of the cache."""
    return RunProgress().add(read_events(path)).worked


def trained_epochs(run: RunRecord) -> dict[str, int]:
    """Epochs that each phase of a run has had, by its name; as planned where the log of the run is lost."""
    told = Counter(str(event["phase"]) for event in read_events(run.folder.events_file) if event["kind"] == "epoch")
    return dict(told) or {phase.name: phase.epochs for phase in phases_of(run.config)}


def trained_config(run: RunRecord) -> TrainingConfig:
    """The settings of a run with the epochs that were trained: fewer than planned where it was stopped, or failed."""
    trained = trained_epochs(run)
    if run.status not in ("stopped", "failed") or not trained.get(HEAD):
        return run.config
    return extended(run.config, trained, 0)


def planned_end(run: RunRecord) -> int:
    """The epoch with which a run ends that goes on as planned, unless a phase ends early."""
    trained, phases = trained_epochs(run), phases_of(run.config)
    reached = max((place for place, phase in enumerate(phases) if phase.name in trained), default=0)
    return sum(trained.get(phase.name, 0) for phase in phases[:reached]) + sum(
        phase.epochs for phase in phases[reached:]
    )
