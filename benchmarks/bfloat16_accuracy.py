"""Whether speed costs accuracy: the same training on a bfloat16 and on a float32 trunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from benchmarks.machine import NO_BFLOAT16, has_bfloat16
from benchmarks.results import Result
from benchmarks.session import Session
from benchmarks.training import train_with_engine
from tl_core.config import TrainingConfig
from tl_core.data import import_sample

SAMPLES: Final = ("digits", "surfaces")
PRECISIONS: Final = ("float32", "auto")


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    for sample in SAMPLES:
        row = Result(
            name=f"bfloat16_{sample}",
            program=session.program,
            title=f"test accuracy on {sample}, bfloat16 trunk, points lost",
            against="float32 trunk, same seed",
            target=0.5,
            unit="points",
            at_least=False,
            measured_in="%",
        )
        yield _measured(session, sample, row) if has_bfloat16() else replace(row, unavailable=NO_BFLOAT16)


def _measured(session: Session, sample: str, row: Result) -> Result:
    config = TrainingConfig(epochs=session.pick(20, 1), image_size=session.pick(None, 32))
    workspace = session.workspace()
    dataset = import_sample(workspace, sample)
    found: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    notes: set[str] = set()
    for number in session.rounds():
        for precision in PRECISIONS:
            settings = replace(config, precision=precision, seed=config.seed + number)
            one = session.measure(
                train_with_engine, dataset=dataset.path, workspace=workspace.root, config=settings.to_dict()
            )
            found[precision].append(100 * float(one["test_accuracy"]))
            notes |= {note for note in one["notes"] if "bfloat16" in note}
    plain, fast = found["float32"], found["auto"]
    return replace(
        row,
        values=tuple(a - b for a, b in zip(plain, fast, strict=True)),
        ours=tuple(fast),
        theirs=tuple(plain),
        note=f"EfficientNet-Lite0, a new seed in each round; a negative figure is a gain. {' '.join(sorted(notes))}",
    )
