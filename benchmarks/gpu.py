"""``python -m benchmarks.gpu``: the same comparisons on an NVIDIA GPU, the hand-written side in mixed_float16.

Adds each row to ``benchmarks/results.json`` and ``RESULTS.md`` as soon as it is measured, so that a call that is cut
off loses no more than one group; ``--done`` names the groups that need not be measured again. Not part of
``python -m benchmarks``, which measures what a laptop does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.frozen_backbone import FULL, OTHER_RATE, QUICK
from benchmarks.gpu_training import feature_rows, quick_start_rows, whole_rows
from benchmarks.in_float16 import fit_in_float16, predict_in_float16, predict_once_in_float16
from benchmarks.machine import describe_machine, today
from benchmarks.programs import ORDER
from benchmarks.report import quantity, write_report
from benchmarks.results import Result, Results, ratios
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset
from benchmarks.training import train_with_engine
from benchmarks.trunk_throughput import compiled_trunk
from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig

FOLDER: Final = Path(__file__).parent
BACKBONES: Final = ("efficientnet_lite0", "resnet50")
TRUNK_IMAGES: Final = 2048
ROUNDS: Final = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the rows; returns the exit code."""
    options = _parser().parse_args(arguments)
    results = Results(options.output)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        session = Session(Path(scratch), pairs=options.rounds, quick=options.quick, program="gpu")
        for name, rows in ROWS.items():
            if name in options.done:
                continue
            for row in rows(session):
                results.keep(replace(row, where=describe_machine(), date=today(), quick=options.quick), ORDER)
                write_report(options.output, list(results.read().values()))
                session.say(f"{row.name}: {quantity(row.median, row.unit)}")
            session.tidy()
            session.say(f"To go on from here: --done {' '.join([*options.done, name])}")
            options.done.append(name)
    return 0


def frozen_rows(session: Session) -> Iterator[Result]:
    """A frozen backbone, 20 epochs: the first run, and the second with another learning rate."""
    sizes = session.pick(FULL, QUICK)
    dataset = make_dataset(session.store, Kind(images=sizes.images))
    config = TrainingConfig(epochs=sizes.epochs, image_size=sizes.image_size)
    hand = {"dataset": dataset.path, "size": sizes.image_size or 224, "epochs": sizes.epochs}
    ours, again, fits, once = [], [], [], []
    for _ in session.rounds():
        room = {"dataset": dataset.path, "workspace": session.workspace().root}
        ours.append(session.measure(train_with_engine, **room, config=config.to_dict()))
        other = replace(config, learning_rate=OTHER_RATE)
        again.append(session.measure(train_with_engine, **room, config=other.to_dict()))
        once.append(session.measure(predict_once_in_float16, **hand))
        fits.append(session.measure(fit_in_float16, **hand, images=sizes.fit_images))
    seconds = {name: _seconds(runs) for name, runs in (("ours", ours), ("fits", fits), ("once", once))}
    first = Result(
        name="gpu_frozen_end_to_end",
        program=session.program,
        title=f"on a GPU: frozen EfficientNet-Lite0, {sizes.images:,} images, {sizes.epochs} epochs",
        against="model.fit of the frozen model end to end, mixed_float16",
        target=1,
        unit="x",
        values=ratios(seconds["fits"], seconds["ours"]),
        ours=seconds["ours"],
        theirs=seconds["fits"],
        note="As frozen_end_to_end. Graphs and the GPU's programs are compiled within the time of either side.",
    )
    yield first
    yield replace(
        first,
        name="gpu_frozen_predict_once",
        against="backbone.predict once, then fit of the head, mixed_float16",
        values=ratios(seconds["once"], seconds["ours"]),
        theirs=seconds["once"],
        note="Both measured whole, from image files to a saved model; ours with empty caches.",
    )
    yield replace(
        first,
        name="gpu_frozen_second_run",
        title="the same, second run with another learning rate",
        against="its first run",
        values=ratios(seconds["ours"], _seconds(again)),
        ours=_seconds(again),
        theirs=seconds["ours"],
        note="The second run is in a fresh process; it finds what the first one kept on the disk.",
    )


def trunk_rows(session: Session) -> Iterator[Result]:
    """Images a second through the frozen backbone."""
    for backbone in BACKBONES:
        size = session.pick(get_backbone(backbone).image_size, 32)
        work = {"backbone": backbone, "size": size, "images": session.pick(TRUNK_IMAGES, 64)}
        trunks, keras = [], []
        for _ in session.rounds():
            trunks.append(session.measure(compiled_trunk, **work, precision="auto"))
            keras.append(session.measure(predict_in_float16, **work))
        ours, theirs = (tuple(float(one["images_per_second"]) for one in side) for side in (trunks, keras))
        yield Result(
            name=f"gpu_trunk_{backbone}",
            program=session.program,
            title=f"on a GPU: trunk throughput, {get_backbone(backbone).title}",
            against="Keras predict, mixed_float16",
            target=1,
            unit="x",
            values=ratios(ours, theirs),
            ours=ours,
            theirs=theirs,
            measured_in="images/s",
            note=f"Random weights (the speed is the same), one batch to warm up. Ours ran on {trunks[0]['text']}.",
        )


ROWS: Final[Mapping[str, Callable[[Session], Iterator[Result]]]] = {  # the most telling first
    "whole": whole_rows,
    "features": feature_rows,
    "quick_start": quick_start_rows,
    "frozen": frozen_rows,
    "trunk": trunk_rows,
}


def _seconds(runs: Sequence[Measured]) -> tuple[float, ...]:
    return tuple(float(one["seconds"]) for one in runs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Compare on an NVIDIA GPU.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: tiny sizes, figures that mean nothing")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"by itself {ROUNDS}")
    parser.add_argument("--done", nargs="*", default=[], choices=ROWS, help="what an earlier call has measured")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of results.json and RESULTS.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
