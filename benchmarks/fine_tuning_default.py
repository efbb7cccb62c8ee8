"""``python -m benchmarks.fine_tuning_default``: what fine-tuning with the default settings lacks.

The study trains a head once per set, size and seed, and then fine-tunes from it with one thing changed at a time: the
rate, how much of the backbone learns, how long, and changed images. Settings are chosen by the *other* validation
images of the sets of docs/defaults.md; their test images are shown for what was chosen alone. Each row is written to
docs/defaults.json as soon as it is measured, and docs/defaults.md anew with it; what is there is not measured again.

The images are of 128 pixels, so that a row takes seconds: the sets have smaller ones.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.defaults.document import fine_tuning_table, write_document
from benchmarks.defaults.image_sets import SETS, draw, load_set
from benchmarks.machine import describe_machine, today
from benchmarks.search import DOCS, QUICK_FOLDER, import_draw
from tl_core.backbones.outline import load_outline
from tl_core.config import AugmentationConfig, TrainingConfig
from tl_core.config.phases import Phase, phases_of
from tl_core.data import Dataset
from tl_core.models.classifier import freeze_layers
from tl_core.models.probabilities import as_class_probabilities
from tl_core.runs import Best, EventLog, RunFolder
from tl_core.runs.heartbeat import Heartbeat
from tl_core.storage.files import write_json
from tl_core.storage.workspace import Workspace
from tl_core.training.callbacks.best_model import BestModel
from tl_core.training.callbacks.event_log import EventLogger
from tl_core.training.data import prepare_phase
from tl_core.training.setup import TrainingSetup, set_up_training
from tl_core.training.trainer import Callback, EpochLogs, FitSettings, Trainer

BEFORE: Final = "last blocks, rate 1e-4, 10 epochs"
"""What unfreezing layers meant before this study."""

CHOSEN: Final = "half, rate 5e-4, 10 epochs"
"""What it means since."""

_DEPTHS: Final = load_outline(TrainingConfig().backbone).presets()
START: Final = TrainingConfig(
    image_size=128, frozen_layers=_DEPTHS["all_but_last_block"], fine_tune_epochs=10, fine_tune_learning_rate=1e-4
)
_SMALL: Final[Mapping[str, Any]] = {  # no mirroring, which would be wrong for letters and digits
    "augmentation": AugmentationConfig(rotation_degrees=10, zoom=0.1, shift=0.05, brightness=0.1, contrast=0.1),
    "augmentation_mode": "cached_views",
    "views": 4,
}
_THREE: Final[Mapping[str, Any]] = {"frozen_layers": load_outline(TrainingConfig().backbone).blocks[-3].first}
_HALF: Final[Mapping[str, Any]] = {"frozen_layers": _DEPTHS["half"]}
CHANGES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        BEFORE: {},
        "last blocks, rate 5e-4, 10 epochs": {"fine_tune_learning_rate": 5e-4},
        "last blocks, rate 1e-3, 10 epochs": {"fine_tune_learning_rate": 1e-3},
        "last blocks, rate 5e-4, 30 epochs": {"fine_tune_learning_rate": 5e-4, "fine_tune_epochs": 30},
        "last three blocks, rate 5e-4, 10 epochs": {**_THREE, "fine_tune_learning_rate": 5e-4},
        "half, rate 1e-4, 10 epochs": _HALF,
        "half, rate 5e-4, 10 epochs": {**_HALF, "fine_tune_learning_rate": 5e-4},
        "half, rate 1e-3, 10 epochs": {**_HALF, "fine_tune_learning_rate": 1e-3},
        "half, rate 5e-4, 20 epochs": {**_HALF, "fine_tune_learning_rate": 5e-4, "fine_tune_epochs": 20},
        "last blocks, rate 5e-4, 10 epochs, small changes": {**_SMALL, "fine_tune_learning_rate": 5e-4},
        "half, rate 5e-4, 10 epochs, small changes": {**_HALF, **_SMALL, "fine_tune_learning_rate": 5e-4},
    }
)
STUDIED: Final = ("silhouettes", "handwriting", "scenes")  # drawings, writing, tiles of photographs
SIZES: Final = (20, 60)  # training images of each class
SEEDS: Final = (1, 2)
FIGURES: Final = "fine_tuning_study"  # its rows in defaults.json


_load = functools.cache(load_set)


@dataclass(frozen=True, slots=True)
class Cell:
    """Images from which a head is trained once."""

    name: str  # of the set
    size: int  # training images of each class
    seed: int

    def is_of(self, row: Mapping[str, Any]) -> bool:
        return (row["set"], row["size"], row["seed"]) == (self.name, self.size, self.seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing."""
    options = _parser().parse_args(arguments)
    folder: Path = options.output or (QUICK_FOLDER if options.quick else DOCS)
    folder.mkdir(parents=True, exist_ok=True)
    if options.threads:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    cells = [Cell(*of) for of in itertools.product(options.sets, options.sizes, options.seeds)]
    changes = list(options.changes)
    if options.quick:
        cells, changes = [Cell("surfaces", 10, 1)], changes[:2]
    found = measure(cells, changes, folder, quick=options.quick)
    print(fine_tuning_table(found[FIGURES]))
    return 0


def measure(cells: Sequence[Cell], changes: Sequence[str], folder: Path, *, quick: bool = False) -> dict[str, Any]:
    """Measure the changes that are missing of each cell, and write figures and page with each.

    Returns:
        The figures of the folder's ``defaults.json``; those of other studies are taken from docs/.
    """
    path = folder / "defaults.json"
    found: dict[str, Any] = json.loads((path if path.is_file() else DOCS / path.name).read_text(encoding="utf-8"))
    if not path.is_file():
        found[FIGURES] = []
    rows: list[dict[str, Any]] = found.setdefault(FIGURES, [])
    for cell in cells:
        known = {row["change"] for row in rows if cell.is_of(row)}
        missing = [change for change in changes if change not in known]
        for row in _measure(cell, missing, quick=quick):
            rows.append(row)
            found["quick_start"] = TrainingConfig().to_dict()  # whose fine-tuning follows from this study
            found |= {"fine_tuning_machine": describe_machine(), "fine_tuning_date": today()}
            measured = {one["change"] for one in rows}
            found["fine_tuning_chosen"] = CHOSEN if CHOSEN in measured else rows[0]["change"]
            write_json(path, found)
            (folder / "defaults.md").write_text(write_document(found), encoding="utf-8")
            print(
                f"{cell.name}, {cell.size}, seed {cell.seed}, {row['change']}: {row['head']:.1f} -> "
                f"{row['kept']:.1f} (last {row['last']:.1f}) % in {row['seconds']:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return found


def _measure(cell: Cell, changes: Sequence[str], *, quick: bool) -> Iterator[dict[str, Any]]:
    """One row per change; a head is trained once for all that differ in nothing else."""
    configs = {change: replace(START, seed=cell.seed, **CHANGES[change]) for change in changes}
    if quick:
        configs = {name: replace(config, epochs=2, fine_tune_epochs=1) for name, config in configs.items()}
    if not configs:
        return
    with _prepared(cell) as (workspace, dataset, log):
        for _, alike in itertools.groupby(configs.items(), lambda item: item[1].augmentation):
            for change, config, head in _on_one_head(list(alike), dataset, workspace, log):
                yield {"set": cell.name, "size": cell.size, "seed": cell.seed, "change": change} | _fine_tune(
                    config, head
                )


@contextlib.contextmanager
def _prepared(cell: Cell) -> Iterator[tuple[Workspace, Dataset, EventLogger]]:
    """A dataset whose test images are the other validation images and the test images of the set."""
    images = _load(cell.name)
    drawn = draw(images, cell.size, cell.seed)
    judged = replace(drawn, test=np.concatenate([drawn.development, drawn.test]))
    with tempfile.TemporaryDirectory(prefix="benchmarks-fine-tuning-") as scratch:
        workspace = Workspace(Path(scratch) / "workspace").ensure()
        dataset = import_draw(workspace, images, judged, Path(scratch) / "images")
        with EventLog(Path(scratch) / "events.jsonl") as events:
            yield workspace, dataset, EventLogger(events, Heartbeat(RunFolder(Path(scratch))))


@dataclass
class _Head:
    """A trained head, from which fine-tuning begins."""

    setup: TrainingSetup
    weights: list[npt.NDArray[Any]]  # of the whole classifier
    best: Best
    answers: npt.NDArray[Any]  # of the judged images
    curve: _Curve
    seconds: float


@dataclass
class _Curve(Callback):
    """What the last epoch gave, and what its model answers about the judged images."""

    loss: float = 0.0
    accuracy: float = 0.0
    answers: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0))

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: EpochLogs) -> None:
        if epoch == trainer.last_epoch:
            self.loss, self.accuracy = logs.train.loss, logs.train.accuracy
            self.answers = _answers(trainer)


def _on_one_head(
    alike: Sequence[tuple[str, TrainingConfig]], dataset: Dataset, workspace: Workspace, log: EventLogger
) -> Iterator[tuple[str, TrainingConfig, _Head]]:
    config = alike[0][1]
    setup = set_up_training(config, dataset, workspace, log, lambda: False)
    best, curve, began = BestModel(), _Curve(), time.monotonic()
    trainer = _fit(config, setup, _phases(config, setup)[0], [best, curve])
    assert best.best is not None
    head = _Head(
        setup, setup.classifier.model.get_weights(), best.best, _answers(trainer), curve, time.monotonic() - began
    )
    for change, one in alike:
        yield change, one, head


def _fine_tune(config: TrainingConfig, head: _Head) -> dict[str, Any]:
    """Accuracies in per cent on both kinds of judged images: of the head, of what is kept, of the last epoch."""
    setup, curve, best = head.setup, _Curve(), BestModel()
    setup.classifier.model.set_weights(head.weights)
    best.best = head.best
    began = time.monotonic()
    trainer = _fit(config, setup, _phases(config, setup)[1], [best, curve], epoch=config.epochs)
    seconds = time.monotonic() - began
    answers = {"head": head.answers, "kept": _answers(trainer), "last": curve.answers}
    tested = _is_tested(setup)
    labels = setup.labels[setup.rows_of("test")]
    assert best.best is not None
    return {
        **{name: _right(found[~tested], labels[~tested]) for name, found in answers.items()},
        **{f"test_{name}": _right(found[tested], labels[tested]) for name, found in answers.items()},
        "kept_phase": best.best.phase,
        "learned_before": round(100 * head.curve.accuracy, 2),  # training images that were right
        "learned": round(100 * curve.accuracy, 2),
        "head_seconds": round(head.seconds, 1),
        "seconds": round(seconds, 1),
    }


def _fit(
    config: TrainingConfig, setup: TrainingSetup, phase: Phase, callbacks: Sequence[Callback], epoch: int = 0
) -> Trainer:
    freeze_layers(setup.classifier.base, phase.frozen_layers)
    steps = FitSettings(config.batch_size, config.optimizer, config.weight_decay, config.schedule, config.seed)
    trainer = Trainer(steps, setup.loss, callbacks)
    trainer.epoch = epoch
    trainer.fit(phase, prepare_phase(setup, phase))
    return trainer


def _phases(config: TrainingConfig, setup: TrainingSetup) -> tuple[Phase, ...]:
    return phases_of(config, len(setup.classifier.base.layers))


def _answers(trainer: Trainer) -> npt.NDArray[Any]:
    assert trainer.data.test is not None
    answers: npt.NDArray[Any] = as_class_probabilities(trainer.evaluate(trainer.data.test).probabilities)
    return np.asarray(answers.argmax(axis=1))


def _is_tested(setup: TrainingSetup) -> npt.NDArray[np.bool_]:
    """Of the judged images, which are test images of the set; the others are those by which settings are chosen."""
    images = _load(setup.dataset.name)
    rows = [int(Path(image.source_name).stem) for image in setup.dataset.of_split("test")]
    return np.array(images.pools[rows] == "test")


def _right(answers: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    return round(100 * float((answers == labels).mean()), 3)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fine_tuning_default", description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=list(STUDIED), help="three by default")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="training images of each class")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), help="of the draws")
    parser.add_argument("--changes", nargs="+", choices=tuple(CHANGES), default=list(CHANGES), help="all by default")
    parser.add_argument("--threads", type=int, help="processor cores to use")
    parser.add_argument("--quick", action="store_true", help="a smoke test: two trainings, figures without meaning")
    parser.add_argument("--output", type=Path, help="folder of defaults.json and defaults.md (docs/)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
