"""``resume``: go on with a run that was interrupted."""

from __future__ import annotations

import argparse

from tl_core.command_line.output import Output
from tl_core.command_line.verb import Verb
from tl_core.command_line.watching import run_and_report
from tl_core.errors import ConfigError
from tl_core.runs import RunRecord, find_run, update_run
from tl_core.runs.store import require_resumable, with_more_epochs
from tl_core.storage.workspace import Workspace


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """The run to work with."""
    parser.add_argument("run", metavar="RUN", help="id of a run, as `runs` lists them")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument(
        "--more", type=int, metavar="EPOCHS", help="go on with a run that has ended, for so many epochs"
    )


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    if options.more is not None:
        return _extend(run, options.more, workspace, output)
    require_resumable(run)
    from tl_core.training import resume

    dataset = workspace.datasets / run.dataset_id
    return run_and_report(run, lambda should_stop: resume(run.config, dataset, run.path, should_stop), output)


def _extend(run: RunRecord, epochs: int, workspace: Workspace, output: Output) -> int:
    if epochs < 1:
        raise ConfigError(f"--more takes a number of epochs of at least 1. Received: {epochs}.")
    run = update_run(run.path, config=with_more_epochs(run, epochs))
    from tl_core.training import extend

    dataset = workspace.datasets / run.dataset_id
    return run_and_report(run, lambda should_stop: extend(run.config, dataset, run.path, should_stop, epochs), output)


VERB = Verb(
    "resume",
    "Go on with an interrupted run from its last saved epoch, or with one that has ended.",
    _add_arguments,
    _run,
)
