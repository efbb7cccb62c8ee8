"""``python -m benchmarks.search``: what *Find the best for me* reaches on the six sets of docs/defaults.md.

On each set, with 10 and 40 training images of each class and with all, a search of some minutes against *Quick
start*, both judged by the same test images; and how many heads a search tries on 1,600 images. Each row is written to
docs/search.json as soon as it is measured, and docs/search.md anew with it; what is there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from benchmarks.defaults.image_sets import SETS, Draw, ImageSet, draw, load_set
from benchmarks.machine import describe_machine, today
from tl_core.data import Dataset
from tl_core.data.imports.importing import import_folder
from tl_core.runs import RunRecord, create_run, load_run
from tl_core.runs.evaluations import read_metrics
from tl_core.search.history import read_history
from tl_core.search.record import create_search
from tl_core.search.space import QUICK_START
from tl_core.storage.files import write_json
from tl_core.storage.workspace import Workspace
from tl_core.training import train

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
QUICK_FOLDER: Final = Path(tempfile.gettempdir()) / "benchmarks-quick"
SIZES: Final[tuple[int | None, ...]] = (10, 40, None)  # training images of each class; None = all
LARGEST: Final = "silhouettes"  # has 1,600 training images
TARGET: Final = 96.0  # mean test accuracy in per cent, all sizes together
FEW, FEW_TARGET = 10, 92.0  # and with so many images of each class
HEADS: Final = 500  # to be tried in five minutes


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    minutes: float
    sets: Sequence[str]
    sizes: Sequence[int | None]
    seeds: Sequence[int]

    def cells(self) -> list[tuple[str, int | None, int]]:
        """Set, size and seed of every row."""
        return [(name, size, seed) for seed in self.seeds for size in self.sizes for name in self.sets]


FULL: Final = Plan(5.0, tuple(SETS), SIZES, (1,))
QUICK: Final = Plan(0.1, ("surfaces",), (10,), (1,))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing."""
    options = _parser().parse_args(arguments)
    plan = QUICK if options.quick else Plan(options.minutes, options.sets or FULL.sets, SIZES, options.seeds)
    folder: Path = options.output or (QUICK_FOLDER if options.quick else DOCS)
    folder.mkdir(parents=True, exist_ok=True)
    measure(plan, folder, lambda line: print(line, file=sys.stderr, flush=True))
    print((folder / "search.md").read_text(encoding="utf-8"))
    return 0


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure the rows of a plan that are not in the folder's ``search.json``, and write the page with each."""
    rows = _known(folder)
    done = {_cell(row) for row in rows}
    for name, size, seed in plan.cells():
        if (name, size, seed, plan.minutes) in done:
            continue
        images = load_set(name)
        with tempfile.TemporaryDirectory(prefix="benchmarks-search-") as scratch:
            workspace = Workspace(Path(scratch) / "workspace").ensure()
            dataset = import_draw(workspace, images, draw(images, size, seed), Path(scratch) / "images")
            found = compare(workspace, dataset, plan.minutes, seed)
        row = {"set": name, "size": size, "seed": seed, "minutes": plan.minutes, **found}
        rows.append({**row, "machine": describe_machine(), "date": today()})
        write_json(folder / "search.json", rows)
        (folder / "search.md").write_text(write_page(rows), encoding="utf-8")
        tell(f"{_name(row)}: Quick start {row['quick_start']:.1f} %, search {row['search']:.1f} %")


def import_draw(workspace: Workspace, images: ImageSet, drawn: Draw, folder: Path) -> Dataset:
    """The images of a draw as a dataset with the same split."""
    for split, rows in (("train", drawn.train), ("validation", drawn.validation), ("test", drawn.test)):
        for row in rows:
            label = images.classes[images.labels[row]]
            path = folder / split / label / f"{row:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.images[row]).save(path)
    return import_folder(workspace, folder, images.description.name)


def compare(workspace: Workspace, dataset: Dataset, minutes: float, seed: int) -> dict[str, Any]:
    """Quick start and a search on the same dataset; accuracies on its test images in per cent."""
    from tl_core.search.searching import run_search  # TensorFlow

    plain = create_run(workspace, QUICK_START, dataset, "Quick start")
    began = time.monotonic()
    train(QUICK_START, dataset.path, plain.path, lambda: False)
    quick_seconds, began = time.monotonic() - began, time.monotonic()
    search = run_search(create_search(workspace, dataset, minutes, seed=seed))
    seconds = time.monotonic() - began
    assert search.run_id is not None
    test, outcome, trials = len(dataset.of_split("test")), search.outcome, read_history(search).trials
    reached = _tested(load_run(workspace.runs / search.run_id))
    return {
        "images": len(dataset.of_split("train")),
        "test_images": test,
        "quick_start": _tested(load_run(plain.path)),
        "search": reached,
        "standard_error": round(100 * math.sqrt(max(1e-9, reached / 100 * (1 - reached / 100)) / test), 2),
        "held_out": round(100 * outcome["accuracy"], 2),
        "optimism": round(100 * outcome["optimism"], 2),
        "better": outcome["better"],
        "networks": len(outcome["members"]),
        "trials": len(trials),
        "sources": len({trial.params.get("source") for trial in trials if trial.config is None}),
        "quick_start_seconds": round(quick_seconds, 1),
        "seconds": round(seconds, 1),
    }


def write_page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a page in Markdown."""
    machines = dict.fromkeys(row["machine"] for row in rows)
    parts = [
        "# What *Find the best for me* reaches",
        "`python -m benchmarks.search` writes this page: on each set of [defaults.md](defaults.md) a search with the "
        "embedded backbones alone, against *Quick start* on the same images. Accuracies are of the test images, in "
        "per cent, which decide nothing; ± is one standard error of the search's.",
        "\n".join(f"- {machine}" for machine in machines),
        "\n".join(_table(rows)),
        "\n".join(_summary(rows)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    head = (
        "set",
        "images of each class",
        "minutes",
        "Quick start",
        "search",
        "held-out",
        "of that luck",
        "networks",
        "heads",
        "sources",
        "seconds",
        "measured",
    )
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for row in rows:
        cells = (
            row["set"],
            row["size"] or "all",
            f"{row['minutes']:g}",
            f"{row['quick_start']:.1f}",
            f"{row['search']:.1f} ± {row['standard_error']:.1f}",
            f"{row['held_out']:.1f}",
            f"{row['optimism']:.1f}",
            row["networks"],
            row["trials"],
            row["sources"],
            f"{row['seconds']:.0f}",
            row["date"],
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _summary(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    worse = [_name(row) for row in rows if row["search"] < row["quick_start"] - row["standard_error"]]
    few = [row for row in rows if row["size"] == FEW]
    lines = [
        f"- All sizes, {_mean(rows, TARGET)}",
        f"- {FEW} images of each class, {_mean(few, FEW_TARGET)}",
        f"- Worse than Quick start beyond one standard error: {', '.join(worse) or 'none'}.",
    ]
    whole = len(FULL.cells())
    if len(rows) < whole:
        lines.append(f"- {whole - len(rows)} of {whole} rows are not measured yet; the means are of the others.")
    largest = [row for row in rows if row["set"] == LARGEST and row["size"] is None]
    lines += [
        f"- Heads tried on {row['images']:,} images of {row['sources']} sources in {row['minutes']:g} minutes: "
        f"{row['trials']:,}, to reach {HEADS} in 5 minutes on four."
        for row in largest
    ]
    return lines


def _mean(rows: Sequence[Mapping[str, Any]], target: float) -> str:
    if not rows:
        return f"not measured yet: to reach {target:g} %."
    plain, reached = (sum(row[name] for row in rows) / len(rows) for name in ("quick_start", "search"))
    return f"{len(rows)} rows: Quick start {plain:.1f} %, search {reached:.1f} %, to reach {target:g} %."


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['set']} with {row['size']} images of each class" if row["size"] else f"{row['set']} with all images"


def _tested(run: RunRecord) -> float:
    return round(100 * float(read_metrics(run)["test"]["accuracy"]), 2)


def _known(folder: Path) -> list[dict[str, Any]]:
    path = folder / "search.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return rows


def _cell(row: Mapping[str, Any]) -> tuple[str, int | None, int, float]:
    return row["set"], row["size"], row["seed"], row["minutes"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--minutes", type=float, default=FULL.minutes, help="of each search (5)")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), help="by default all six")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(FULL.seeds), help="of the draws (1)")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: one set, seconds, figures without meaning"
    )
    parser.add_argument("--output", type=Path, help="folder of search.json and search.md (docs/)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
