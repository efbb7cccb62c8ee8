"""``export``: a run's model as a file for another runtime, proven to say the same."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path

from tl_core.command_line.output import Output
from tl_core.command_line.resume import add_run_argument
from tl_core.command_line.verb import DONE, Verb
from tl_core.errors import ExportError, WorkspaceError
from tl_core.export import FORMATS, export_run
from tl_core.runs import find_run
from tl_core.storage.workspace import Workspace


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    listed = "; ".join(f"{form.name}: {form.title}" for form in FORMATS.values())
    parser.add_argument("--format", required=True, choices=tuple(FORMATS), help=listed)
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER", help="where the zip goes (the current folder)"
    )


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    export = export_run(run.path, options.format, lambda _done, text: output.say(text))
    if export.proof.failure:
        raise ExportError(export.proof.failure)
    target = _copied(export.path, options.output / export.file_name)
    proof = export.proof
    values = {"run_id": run.id, "format": export.format, "file": str(target), "proof": asdict(proof)}
    line = (
        f"{target}: largest difference {proof.max_difference:.2g} on {proof.images} validation images, "
        f"{100 * proof.accuracy:.1f} % of them right (the dashboard: {100 * proof.app_accuracy:.1f} %)"
    )
    output.result(values, [line])
    return DONE


def _copied(source: Path, target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise WorkspaceError(
            f"The folder {target.parent} cannot be written ({error.strerror}): name another one with --output."
        ) from error
    return target


VERB = Verb("export", "Write a model for another runtime, once it is proven to say the same.", _add_arguments, _run)
