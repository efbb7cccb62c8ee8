"""``python -m benchmarks.fine_tuning_default``: what fine-tuning with the default settings lacks.

After 60 epochs a head is right about nearly every training image as it is. Without changed images there is then next
to nothing left to learn from, whatever the rate; and ten epochs of few images are few steps. So the study changes one
thing at a time: mirrored or changed images, the rate, how much learns, how long, and how far the head was trained
before. Judged are the *other* validation images of the sets of docs/defaults.md, never their test images. Each row is
written to docs/fine_tuning.json as soon as it is measured, and docs/fine_tuning.md anew with it; what is there is not
measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from benchmarks.defaults.image_sets import SETS, draw, load_set
from benchmarks.machine import describe_machine, today
from benchmarks.search import DOCS, QUICK_FOLDER, import_draw
from tl_core.backbones.outline import load_outline
from tl_core.config import AUGMENTATION_LEVELS, AugmentationConfig, TrainingConfig
from tl_core.runs import create_run, load_run, read_events
from tl_core.runs.evaluations import read_metrics
from tl_core.storage.files import write_json
from tl_core.storage.workspace import Workspace
from tl_core.training import train

_DEPTHS: Final = load_outline(TrainingConfig().backbone).presets()
DEFAULT: Final = TrainingConfig(frozen_layers=_DEPTHS["all_but_last_block"], fine_tune_epochs=10)
"""What the form begins with once layers are unfrozen."""

_FLIPS: Final = AugmentationConfig(horizontal_flip=True)
_FLIPPED: Final[Mapping[str, Any]] = {"augmentation": _FLIPS, "augmentation_mode": "cached_views", "views": 2}
CHANGES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "default": {},
        "rate 5e-4": {"fine_tune_learning_rate": 5e-4},
        "rate 1e-3": {"fine_tune_learning_rate": 1e-3},
        "30 epochs": {"fine_tune_epochs": 30},
        "head of 10 epochs": {"epochs": 10},
        "mirrored images": _FLIPPED,
        "mirrored images, rate 5e-4": {**_FLIPPED, "fine_tune_learning_rate": 5e-4},
        "mirrored images, 30 epochs": {**_FLIPPED, "fine_tune_epochs": 30},
        "light changes, new in every epoch": {"augmentation": AUGMENTATION_LEVELS["light"]},
        "half of the backbone": {"frozen_layers": _DEPTHS["half"]},
        "half of the backbone, mirrored images": {"frozen_layers": _DEPTHS["half"], **_FLIPPED},
        "whole backbone, mirrored images": {"frozen_layers": 0, **_FLIPPED},
    }
)
"""One thing at a time, and the pairs that the first results ask for."""

STUDIED: Final = ("scenes", "silhouettes", "faces", "digits")  # photographs, drawings, grey in two classes, writing
SIZES: Final[tuple[int | None, ...]] = (40, None)  # training images of each class


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing."""
    options = _parser().parse_args(arguments)
    folder: Path = options.output or (QUICK_FOLDER if options.quick else DOCS)
    folder.mkdir(parents=True, exist_ok=True)
    cells = [(name, size, change) for name in options.sets for size in SIZES for change in CHANGES]
    if options.quick:
        cells = [("surfaces", 10, change) for change in ("default", "mirrored images")]
    measure(cells, folder, options.quick, lambda line: print(line, file=sys.stderr, flush=True))
    print((folder / "fine_tuning.md").read_text(encoding="utf-8"))
    return 0


def measure(
    cells: Sequence[tuple[str, int | None, str]], folder: Path, quick: bool, tell: Callable[[str], None]
) -> None:
    """Measure the cells (set, size, change) that are missing, and write the page with each."""
    path = folder / "fine_tuning.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    done = {(row["set"], row["size"], row["change"]) for row in rows}
    for name, size, change in cells:
        if (name, size, change) in done:
            continue
        config = replace(DEFAULT, **CHANGES[change])
        if quick:
            config = replace(config, epochs=2, fine_tune_epochs=1)
        rows.append({"set": name, "size": size, "change": change, **_measure(name, size, config)})
        rows[-1] |= {"machine": describe_machine(), "date": today()}
        write_json(path, rows)
        (folder / "fine_tuning.md").write_text(write_page(rows), encoding="utf-8")
        tell(f"{name}, {size or 'all'}, {change}: {rows[-1]['head']:.1f} -> {rows[-1]['kept']:.1f} %")


def _measure(name: str, size: int | None, config: TrainingConfig) -> dict[str, Any]:
    """Accuracy in per cent after the head alone and of the model that was kept, on the other validation images."""
    images = load_set(name)
    drawn = draw(images, size, 1)
    judged = replace(drawn, test=drawn.development)  # the true test images stay untouched
    with tempfile.TemporaryDirectory(prefix="benchmarks-fine-tuning-") as scratch:
        workspace = Workspace(Path(scratch) / "workspace").ensure()
        dataset = import_draw(workspace, images, judged, Path(scratch) / "images")
        found = {}
        for what, settings in (("head", replace(config, fine_tune_epochs=0)), ("kept", config)):
            run = create_run(workspace, settings, dataset, what)
            began = time.monotonic()
            train(settings, dataset.path, run.path, lambda: False)
            found[what] = round(100 * float(read_metrics(load_run(run.path))["test"]["accuracy"]), 2)
            found[f"{what}_seconds"] = round(time.monotonic() - began, 1)
        epochs = [event for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]
        best = load_run(run.path).best
    heads = [event for event in epochs if event["phase"] == "head"]
    return {
        **found,
        "images": len(dataset.of_split("train")),
        "judged": len(dataset.of_split("test")),
        "train_loss_before": round(float(heads[-1]["loss"]), 4),  # what is left to learn when fine-tuning begins
        "train_accuracy_before": round(100 * float(heads[-1]["accuracy"]), 2),
        "kept_phase": best.phase if best else None,
    }


def write_page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a page in Markdown."""
    head = ("change", "sets", "after the head", "kept", "gain", "worst", "right in training before", "seconds")
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for change in CHANGES:
        found = [row for row in rows if row["change"] == change]
        if not found:
            continue
        gains = [row["kept"] - row["head"] for row in found]
        means = [_mean(found, name) for name in ("head", "kept", "train_accuracy_before", "kept_seconds")]
        cells = (
            change,
            str(len(found)),
            f"{means[0]:.1f}",
            f"{means[1]:.1f}",
            f"{sum(gains) / len(gains):+.2f}",
            f"{min(gains):+.1f}",
            f"{means[2]:.1f}",
            f"{means[3]:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    text = (
        "`python -m benchmarks.fine_tuning_default` writes this page. Accuracy in per cent on validation images that "
        "the run itself has not seen, mean over sets and sizes; gain is *kept* less *after the head*, in points. "
        f"{rows[-1]['machine']}, {rows[-1]['date']}."
    )
    return "\n\n".join(["# What the default of fine-tuning lacks", text, "\n".join(lines)]) + "\n"


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(sum(row[name] for row in rows)) / len(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fine_tuning_default", description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=list(STUDIED), help="four by default")
    parser.add_argument("--quick", action="store_true", help="a smoke test: two trainings, figures without meaning")
    parser.add_argument("--output", type=Path, help="folder of fine_tuning.json and fine_tuning.md (docs/)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
