"""``evaluate``: measure the model of a run."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tl_core.command_line.import_data import find_or_import
from tl_core.command_line.verb import Output, table, writing
from tl_core.data import Dataset
from tl_core.data.imports.archive import OWN_LIMITS
from tl_core.data.imports.importing import import_to_measure
from tl_core.evaluation.cross_validated import CrossValidation, kept_cross_validation
from tl_core.inference.calibration import load_calibration
from tl_core.runs import RunRecord, dataset_of, find_run
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace, is_id

if TYPE_CHECKING:
    from tl_core.evaluation.report import Measures


def evaluate(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Measure a model on a split of its dataset, of another one, or on all images of a folder."""
    run = find_run(workspace, options.run)
    from tl_core.evaluation.evaluate import evaluate_run
    from tl_core.evaluation.report import as_values, suffix_of, take_measures, write_report

    report: Path | None = options.report
    suffix = suffix_of(report) if report else ""  # a wrong name is refused before the images are predicted
    with contextlib.ExitStack() as temporary:
        if options.data is None or is_id(options.data):
            path, split = workspace.datasets / (options.data or run.dataset_id), "test"
        else:
            folder = Path(temporary.enter_context(tempfile.TemporaryDirectory()))
            found = _images_of(Workspace(folder).ensure(), options.data, run.classes, output)
            path, split = found.path, "all"
        measured = evaluate_run(run.path, path, options.split or split, output.task)
        measures = take_measures(measured, load_calibration(run.folder, run.model_sha256))
        checked = _cross_validated(run, options, output)
        values = {"run_id": run.id, **as_values(measures), "cross_validation": checked and checked.as_values()}
        lines = [*_format_measures(measures), *([f"{checked.text}: {checked.meaning}"] if checked else [])]
        if report:
            content = write_report(run, dataset_of(run, path), measures, suffix)
            with writing(report, "--report"):
                report.write_bytes(content)
            values["report"] = str(report)
            lines.append(str(report))
    return output.result(values, lines)


def _cross_validated(run: RunRecord, options: argparse.Namespace, output: Output) -> CrossValidation | None:
    """What is cross-validated now, or was before; it is of the run's own images."""
    if options.cross_validate:
        from tl_core.training.cross_validation import cross_validate  # TensorFlow

        return cross_validate(run.path, output.task)
    return kept_cross_validation(run) if options.data in (None, run.dataset_id) else None


def _images_of(workspace: Workspace, source: str, classes: Sequence[str], output: Output) -> Dataset:
    """The images of a folder or an archive that are of the model's classes; says what is not measured."""
    path = Path(source).expanduser()
    if not path.exists():
        return find_or_import(workspace, source, output)
    dataset = import_to_measure(workspace, path, classes, OWN_LIMITS, output.task)
    for skipped in dataset.skipped:
        output.say(f"Not measured: {skipped.name}: {skipped.reason}")
    if without := [name for name, of in dataset.counts().items() if not any(of.values())]:
        output.say(f"Nothing can be said about {', '.join(without)}: there are no images of it.")
    return dataset


def _format_measures(measures: Measures) -> list[str]:
    found = measures.evaluation
    low, high = measures.accuracy_range
    rows = []
    for row in found.per_class:
        shares = ["-" if share is None else f"{share:.3f}" for share in (row.precision, row.recall, row.f1)]
        rows.append([row.name, *shares, row.support])
    return [
        f"{percent(found.accuracy)} of {measures.images:,} {found.split} images right "
        f"({100 * low:.1f} to {percent(high)} with 95 % confidence)",
        f"Balanced accuracy {percent(found.balanced_accuracy)}, macro F1 {percent(found.macro_f1)}, "
        f"expected calibration error {percent(measures.calibration_error)}",
        *table(["class", "precision", "recall", "F1", "images"], rows),
    ]
