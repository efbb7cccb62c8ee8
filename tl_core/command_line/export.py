"""``export`` and ``code``: a run's model for another runtime, and its configuration as a Keras program."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict

from tl_core.command_line.verb import Output, writing
from tl_core.errors import ExportError
from tl_core.export.exporting import export_run
from tl_core.export.program import as_notebook, as_script, write_program
from tl_core.machine.progress import TaskContext
from tl_core.runs import find_run
from tl_core.runs.progress import trained_config
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace


def export(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Write a model in another format, once its predictions are proven to be the same."""
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
    return output.result(values, [line])


def write_code(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Write or print the Keras program of a run's configuration."""
    run = find_run(workspace, options.run)
    cells = write_program(trained_config(run), run.classes, run.decoding, run.members)
    text = as_notebook(cells, run.name) if options.notebook else as_script(cells, run.name)
    dataset = run.dataset_path
    if options.output is None:
        return output.result({"run_id": run.id, "code": text, "dataset": str(dataset)}, text.splitlines())
    with writing(options.output):
        options.output.write_text(text, encoding="utf-8")
    values = {"run_id": run.id, "file": str(options.output), "dataset": str(dataset)}
    return output.result(values, [f"{options.output}: run it with the folder of the images, {dataset}"])
