"""``export`` and ``code``: a run's model for another runtime, and its configuration as a Keras program."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path

from tl_core.command_line.verb import DONE, Output, Verb, add_run_argument, writing
from tl_core.errors import ExportError
from tl_core.export import FORMATS, export_run
from tl_core.export.code import as_notebook, as_script, write_program
from tl_core.machine.progress import TaskContext
from tl_core.runs import find_run
from tl_core.runs.progress import trained_config
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace


def _add_export_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    listed = "; ".join(f"{form.name}: {form.title}" for form in FORMATS.values())
    parser.add_argument("--format", required=True, choices=tuple(FORMATS), help=listed)
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER", help="where the zip goes (the current folder)"
    )


def _export(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    export = export_run(run.path, options.format, TaskContext(lambda at: output.say(at.text)))
    proof = export.proof
    if proof.failure:
        raise ExportError(proof.failure)
    target = options.output / export.file_name
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(export.path, target)
    values = {"run_id": run.id, "format": export.format, "file": str(target), "proof": asdict(proof)}
    line = (
        f"{target}: largest difference {proof.max_difference:.2g} on {proof.images} validation images, "
        f"{percent(proof.accuracy)} of them right (the dashboard: {percent(proof.app_accuracy)})"
    )
    output.result(values, [line])
    return DONE


def _add_code_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("--notebook", action="store_true", help="as a Jupyter notebook, not as a script")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where it goes; by default it is printed")


def _write_code(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    cells = write_program(trained_config(run), run.classes)
    text = as_notebook(cells, run.name) if options.notebook else as_script(cells, run.name)
    dataset = run.dataset_path
    if options.output is None:
        output.result({"run_id": run.id, "code": text, "dataset": str(dataset)}, text.splitlines())
        return DONE
    with writing(options.output):
        options.output.write_text(text, encoding="utf-8")
    values = {"run_id": run.id, "file": str(options.output), "dataset": str(dataset)}
    output.result(values, [f"{options.output}: run it with the folder of the images, {dataset}"])
    return DONE


EXPORT_VERB = Verb(
    "export", "Write a model for another runtime, once it is proven to say the same.", _add_export_arguments, _export
)
CODE_VERB = Verb(
    "code", "Write a run's configuration as a program that needs Keras alone.", _add_code_arguments, _write_code
)
