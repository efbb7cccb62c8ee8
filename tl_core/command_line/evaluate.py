"""``evaluate``: measure the model of a run."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from tl_core.command_line.import_data import find_or_import
from tl_core.command_line.output import Output, table
from tl_core.command_line.resume import add_run_argument
from tl_core.command_line.verb import DONE, Verb
from tl_core.data import SPLITS
from tl_core.runs import find_run
from tl_core.workspace import Workspace, is_id


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument(
        "--data", metavar="DATASET|FOLDER", help="another dataset, or a folder or zip whose images are all used"
    )
    parser.add_argument("--split", choices=(*SPLITS, "all"), help="which images; by default test, of a folder all")


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    if options.data is None or is_id(options.data):
        path = workspace.datasets / (options.data or run.dataset_id)
        return _evaluate(run.path, path, options.split or "test", output)
    with tempfile.TemporaryDirectory() as folder:
        dataset = find_or_import(Workspace(Path(folder)).ensure(), options.data, output)
        return _evaluate(run.path, dataset.path, options.split or "all", output)


def _evaluate(run_path: Path, dataset_path: Path, split: str, output: Output) -> int:
    from tl_core.evaluation import evaluate_run

    measured = evaluate_run(run_path, dataset_path, split, output.progress)
    values: dict[str, Any] = {
        "run_id": run_path.name,
        "split": split,
        "images": len(measured.labels),
        "accuracy": measured.accuracy,
        "top_k": {str(k): share for k, share in measured.top_k.items()},
        "per_class": [
            {"class": row.name, "precision": row.precision, "recall": row.recall, "f1": row.f1, "images": row.support}
            for row in measured.per_class
        ],
        "confusion": measured.confusion.tolist(),
    }
    figures = [
        [row.name, f"{row.precision:.3f}", f"{row.recall:.3f}", f"{row.f1:.3f}", row.support]
        for row in measured.per_class
    ]
    output.result(
        values,
        [
            f"{100 * measured.accuracy:.1f} % of {len(measured.labels):,} {split} images right",
            *table(["class", "precision", "recall", "F1", "images"], figures),
        ],
    )
    return DONE


VERB = Verb(
    "evaluate", "Measure the model of a run on a split of its dataset, or on other images.", _add_arguments, _run
)
