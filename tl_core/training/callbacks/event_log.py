"""What a training tells the world: events, at a bounded rate, and the time each stage took."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.runs import Best, EventLog
from tl_core.runs.heartbeat import Heartbeat
from tl_core.training.epoch_runner import Batches, Result

PREPARE: Final = "prepare"
FEATURES: Final = "features"
EVALUATE: Final = "evaluate"
SAVE: Final = "save"

PINNED_DIGITS: Final = 4  # of a probability; more would not be seen

_WITHOUT_BATCHES: Final = (PREPARE, EVALUATE, SAVE)
_INTERVAL: Final = 0.25  # seconds between two batch or progress events


class Reporter:
    """Writes the events of one run, and tells its heartbeat where no sign is to be expected for a while."""

    def __init__(
        self,
        events: EventLog,
        clock: Callable[[], float] = time.monotonic,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._events = events
        self._clock = clock
        self._heartbeat = heartbeat
        self._phase = PREPARE
        self._phase_began = clock()
        self._last = -_INTERVAL
        self.seconds: dict[str, float] = {}  # by phase

    def phase(self, phase: str, text: str, **values: Any) -> None:
        """A new stage begins."""
        self.close_stage()
        self._phase = phase
        self._events.write("phase", phase=phase, text=text, **values)
        if self._heartbeat is not None:
            self._heartbeat.enter(slow=phase in _WITHOUT_BATCHES)

    def slow_step(self) -> None:
        """What comes next takes a while and can give no sign of life: compiling, a first batch, writing a file."""
        if self._heartbeat is not None:
            self._heartbeat.slow_step()

    def close_stage(self) -> None:
        """Add the time since the last stage began to that stage."""
        now = self._clock()
        self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._phase_began
        self._phase_began = now

    def progress(self, done: int, total: int, images_per_second: float | None = None) -> None:
        """So much of the current stage is done; the last piece is always told."""
        if done >= total or self._due():
            self._events.write(
                "progress", phase=self._phase, done=done, total=total, images_per_second=images_per_second
            )
        if done >= total:
            self.slow_step()  # what was made is now written to the disk

    def note(self, text: str) -> None:
        """A decision or a warning, in words."""
        self._events.write("note", text=text)

    def kept(self, entry: str, frozen_layers: int) -> None:
        """What the first layers say about the images lies on the disk under this name."""
        self._events.write("kept", entry=entry, frozen_layers=frozen_layers)

    def epoch(
        self, number: int, last: int, trained: Result, checked: Result, *, rate: float, seconds: float, best: bool
    ) -> None:
        """An epoch is complete."""
        self._events.write(
            "epoch",
            phase=self._phase,
            epoch=number,
            epochs=last,
            loss=trained.loss,
            accuracy=trained.accuracy,
            val_loss=checked.loss,
            val_accuracy=checked.accuracy,
            learning_rate=rate,
            seconds=seconds,
            best=best,
        )

    def pinned(self, epoch: int, probabilities: npt.NDArray[np.float32]) -> None:
        """What the model of this epoch says about the pinned pictures, ``(pictures, classes)``."""
        rows = [
            [round(value, PINNED_DIGITS) if math.isfinite(value) else None for value in row]
            for row in probabilities.tolist()
        ]
        self._events.write("pinned", epoch=epoch, probabilities=rows)

    def batches(self, epoch: int) -> Callable[[Batches], None]:
        """A receiver for the batches of one epoch: sums them up and tells them at most four times a second."""
        waiting: list[Batches] = []
        since = self._clock()

        def receive(batches: Batches) -> None:
            nonlocal since
            waiting.append(batches)
            if not self._due():
                return
            images = sum(entry.images for entry in waiting)
            self._events.write(
                "batch",
                phase=self._phase,
                epoch=epoch,
                batch=batches.done,
                batches=batches.total,
                loss=sum(entry.loss * entry.images for entry in waiting) / images,
                accuracy=sum(entry.accuracy * entry.images for entry in waiting) / images,
                images_per_second=images / max(1e-6, self._clock() - since),
            )
            waiting.clear()
            since = self._clock()

        return receive

    def end(self, status: str, text: str) -> None:
        """The run is over."""
        self._events.write("end", status=status, text=text)

    def _due(self) -> bool:
        now = self._clock()
        if now - self._last < _INTERVAL:
            return False
        self._last = now
        return True


def describe(best: Best) -> str:
    """What a finished run achieved, in one sentence."""
    return f"{100 * best.val_accuracy:.1f} % of the validation images right; the model of epoch {best.epoch} is kept."
