"""``runs``: what was trained so far."""

from __future__ import annotations

import argparse
from typing import Any

from tl_core.command_line.output import Output, table
from tl_core.command_line.verb import DONE, Verb
from tl_core.command_line.watching import outcome
from tl_core.runs import RunRecord, has_tags, list_runs
from tl_core.storage.workspace import Workspace


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tag", action="append", default=[], help="only runs with this tag; may be given again")


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    found = [run for run in list_runs(workspace) if has_tags(run, options.tag)]
    head = ["run", "status", "dataset", "backbone", "validation", "tags"]
    output.result({"runs": [_values(run) for run in found]}, table(head, [_row(run) for run in found]))
    return DONE


def _values(run: RunRecord) -> dict[str, Any]:
    what = {"name": run.name, "tags": run.tags, "dataset": run.dataset_name, "backbone": run.config.backbone}
    return {**outcome(run), **what}


def _row(run: RunRecord) -> list[str]:
    accuracy = f"{100 * run.best.val_accuracy:.1f} %" if run.best else ""
    return [run.id, run.status, run.dataset_name, run.config.backbone, accuracy, ", ".join(run.tags)]


VERB = Verb("runs", "List all runs, newest first.", _add_arguments, _run)
