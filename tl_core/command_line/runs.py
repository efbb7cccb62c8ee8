"""``runs``: what was trained so far."""

from __future__ import annotations

import argparse

from tl_core.command_line.output import Output, table
from tl_core.command_line.verb import DONE, Verb, no_arguments
from tl_core.command_line.watching import outcome
from tl_core.runs import RunRecord, list_runs
from tl_core.workspace import Workspace


def _run(_options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    found = list_runs(workspace)
    values = [
        {**outcome(run), "name": run.name, "dataset": run.dataset_name, "backbone": run.config.backbone}
        for run in found
    ]
    output.result(
        {"runs": values}, table(["run", "status", "dataset", "backbone", "validation"], [_row(run) for run in found])
    )
    return DONE


def _row(run: RunRecord) -> list[str]:
    accuracy = f"{100 * run.best.val_accuracy:.1f} %" if run.best else ""
    return [run.id, run.status, run.dataset_name, run.config.backbone, accuracy]


VERB = Verb("runs", "List all runs, newest first.", no_arguments, _run)
