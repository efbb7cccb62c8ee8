"""Memory of a training on 20,000 images, above what the imported libraries take; and whether epochs add to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from benchmarks.results import Result
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset
from benchmarks.training import estimate_of, train_with_engine
from tl_core.config import TrainingConfig

GIB: Final = 2**30
EPOCHS: Final = 20
FILES: Final = 2000  # different pictures
_INTERVAL: Final = 0.1  # seconds between two looks


def run(session: Session) -> Iterator[Result]:
    """Measure the rows, in one run."""
    images = session.pick(20_000, 60)
    dataset = make_dataset(session.store, Kind(images=images, different=session.pick(FILES, 40)))
    config = TrainingConfig(epochs=session.pick(EPOCHS, 3), image_size=session.pick(224, 32))
    found = session.measure(
        train_and_watch, dataset=dataset.path, workspace=session.workspace().root, config=config.to_dict(),
        calibrated=not session.quick,
    )  # fmt: skip
    shared = (
        f"{images:,} images, {config.epochs} epochs, one run, looked at every {_INTERVAL} s in a fresh process after "
        "all libraries were imported."
    )
    estimate = estimate_of(f"{images:,} images", [found])
    what = f"memory above the imported libraries, {images:,} images of {config.image_size} px"
    yield _row(session, "memory", what, 1.5, found["private"], estimates=(estimate,), note=(
        f"{shared} Memory of the process's own: pages of files that are mapped are not counted, because the system "
        "takes them back whenever it wants; the next row counts them."
    ))  # fmt: skip
    yield _row(session, "memory_resident", "the same, with the resident pages of mapped files", 1.5,
               found["resident"], note=shared)  # fmt: skip
    yield _row(session, "memory_growth", "the same: growth from the second epoch to the last", 0.05,
               found["growth"], note=f"{shared} “Flat” is taken as at most 0.05 GiB.")  # fmt: skip


def _row(session: Session, name: str, title: str, target: float, value: float, **rest: Any) -> Result:
    return Result(
        name=name, program=session.program, title=title, against="", target=target, unit="GiB", at_least=False,
        values=(value,), **rest,
    )  # fmt: skip


def train_and_watch(dataset: str, workspace: str, config: dict[str, Any], calibrated: bool) -> Measured:
    """Train while another thread looks at the memory of this process; GiB above the start."""
    import openvino  # noqa: F401

    import tl_core.training  # noqa: F401

    with _Watch() as watch:
        measured = train_with_engine(dataset, workspace, config, calibrated)
    start = watch.looks[0]
    return {
        "estimate": measured["estimate"],
        "private": (max(look.private for look in watch.looks) - start.private) / GIB,
        "resident": (max(look.resident for look in watch.looks) - start.resident) / GIB,
        "growth": watch.growth(measured["epoch_ends"]) / GIB,
    }


@dataclass(frozen=True, slots=True)
class _Look:
    at: float  # Unix seconds
    resident: int  # bytes
    private: int  # bytes of it that belong to no file


@dataclass(slots=True)
class _Watch:
    """Looks at this process's memory until the block ends."""

    looks: list[_Look] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> _Watch:
        self._look()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        self._look()

    def growth(self, epoch_ends: list[float]) -> float:
        """Bytes of its own at the end of the last epoch above those at the end of the second."""
        return self._private_at(epoch_ends[-1]) - self._private_at(epoch_ends[1])

    def _private_at(self, moment: float) -> float:
        return min(self.looks, key=lambda look: abs(look.at - moment)).private

    def _watch(self) -> None:
        while not self._done.wait(_INTERVAL):
            self._look()

    def _look(self) -> None:
        memory = psutil.Process().memory_info()
        # Systems other than Linux do not say how much of the resident memory belongs to files.
        self.looks.append(_Look(time.time(), memory.rss, memory.rss - getattr(memory, "shared", 0)))
