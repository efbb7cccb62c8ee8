"""``evaluate``: measure the model of a run."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tl_core.command_line.import_data import find_or_import
from tl_core.command_line.verb import DONE, Output, Verb, add_run_argument, table, writing
from tl_core.data import SPLITS, load_dataset
from tl_core.inference.calibration import load_calibration
from tl_core.runs import RunRecord, find_run
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace, is_id

if TYPE_CHECKING:
    from tl_core.evaluation.report import Measures


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument(
        "--data", metavar="DATASET|FOLDER", help="another dataset, or a folder or zip whose images are all used"
    )
    parser.add_argument("--split", choices=(*SPLITS, "all"), help="which images; by default test, of a folder all")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write all measures into one file: a web page with charts (.html), or Markdown (.md)",
    )


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    if options.report is not None:
        _suffix_of(options.report)  # a wrong name is refused before the images are predicted
    if options.data is None or is_id(options.data):
        path = workspace.datasets / (options.data or run.dataset_id)
        return _evaluate(run, path, options.split or "test", options.report, output)
    with tempfile.TemporaryDirectory() as folder:
        dataset = find_or_import(Workspace(Path(folder)).ensure(), options.data, output)
        return _evaluate(run, dataset.path, options.split or "all", options.report, output)


def _evaluate(run: RunRecord, dataset_path: Path, split: str, report: Path | None, output: Output) -> int:
    from tl_core.evaluation.evaluate import evaluate_run
    from tl_core.evaluation.report import as_values, take_measures, write_report

    measured = evaluate_run(run.path, dataset_path, split, output.task)
    measures = take_measures(measured, load_calibration(run.folder, run.model_sha256))
    written = {}
    if report is not None:
        dataset = load_dataset(dataset_path)
        content = write_report(run, dataset, measures, _suffix_of(report))
        with writing(report, "--report"):
            report.write_bytes(content)
        written["report"] = str(report)
    output.result(
        {"run_id": run.id, **as_values(measures), **written}, [*_format_measures(measures), *written.values()]
    )
    return DONE


def _format_measures(measures: Measures) -> list[str]:
    found = measures.evaluation
    low, high = measures.accuracy_range
    figures = [[row.name, *map(_share, (row.precision, row.recall, row.f1)), row.support] for row in found.per_class]
    return [
        f"{percent(found.accuracy)} of {measures.images:,} {found.split} images right "
        f"({100 * low:.1f} to {percent(high)} with 95 % confidence)",
        f"Balanced accuracy {percent(found.balanced_accuracy)}, macro F1 {percent(found.macro_f1)}, "
        f"expected calibration error {percent(measures.calibration_error)}",
        *table(["class", "precision", "recall", "F1", "images"], figures),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _suffix_of(path: Path) -> str:
    from tl_core.evaluation.report import suffix_of

    return suffix_of(path)


VERB = Verb(
    "evaluate", "Measure the model of a run on a split of its dataset, or on other images.", _add_arguments, _run
)
