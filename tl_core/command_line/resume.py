"""``resume``: go on with a run that was interrupted."""

from __future__ import annotations

import argparse

from tl_core.command_line.output import Output
from tl_core.command_line.verb import Verb
from tl_core.command_line.watching import run_and_report
from tl_core.errors import WorkspaceError
from tl_core.runs import find_run
from tl_core.workspace import Workspace


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """The run to work with."""
    parser.add_argument("run", metavar="RUN", help="id of a run, as `runs` lists them")


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    if run.status != "interrupted":
        raise WorkspaceError(f"“{run.name}” was not interrupted ({run.status}), so there is nothing to resume.")
    from tl_core.training import resume

    dataset = workspace.datasets / run.dataset_id
    return run_and_report(run, lambda should_stop: resume(run.config, dataset, run.path, should_stop), output)


VERB = Verb("resume", "Go on with an interrupted run from its last saved epoch.", add_run_argument, _run)
