"""``code``: a run's configuration as a program that needs Keras alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from tl_core.command_line.output import Output
from tl_core.command_line.resume import add_run_argument
from tl_core.command_line.verb import DONE, Verb
from tl_core.errors import WorkspaceError
from tl_core.export.code import as_notebook, as_script, write_program
from tl_core.runs import find_run
from tl_core.storage.workspace import Workspace


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("--notebook", action="store_true", help="as a Jupyter notebook, not as a script")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where it goes; by default it is printed")


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    cells = write_program(run.config, run.classes)
    text = as_notebook(cells, run.name) if options.notebook else as_script(cells, run.name)
    dataset = workspace.datasets / run.dataset_id
    if options.output is None:
        output.result({"run_id": run.id, "code": text, "dataset": str(dataset)}, text.splitlines())
        return DONE
    try:
        options.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(
            f"The file {options.output} cannot be written ({error.strerror}): name another one with --output."
        ) from error
    values = {"run_id": run.id, "file": str(options.output), "dataset": str(dataset)}
    output.result(values, [f"{options.output}: run it with the folder of the images, {dataset}"])
    return DONE


VERB = Verb("code", "Write a run's configuration as a program that needs Keras alone.", _add_arguments, _run)
