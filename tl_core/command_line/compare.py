"""``compare``: what differs between runs, and which is better."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

from tl_core.command_line.output import Output, table
from tl_core.command_line.verb import DONE, Verb
from tl_core.errors import ConfigError
from tl_core.runs import RunRecord, find_run
from tl_core.runs.comparison import NOT_PART, ResultKind, differing_settings, results_of, unique_names
from tl_core.storage.workspace import Workspace


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help="ids of at least two runs, as `runs` lists them")


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    runs = [find_run(workspace, run_id) for run_id in dict.fromkeys(options.runs)]
    if len(runs) < 2:
        raise ConfigError(f"Comparing takes the ids of at least two runs. Received: {', '.join(options.runs)}.")
    output.result(_values(runs), _in_words(runs))
    return DONE


def _values(runs: list[RunRecord]) -> dict[str, Any]:
    results = results_of(runs)
    return {
        "runs": [
            {
                "run_id": run.id,
                "name": run.name,
                "status": run.status,
                **{result.name: values[place] for result, values in results},
                "config": run.config.to_dict(),
            }
            for place, run in enumerate(runs)
        ],
        "differing": differing_settings(runs),
    }


def _in_words(runs: list[RunRecord]) -> list[str]:
    results = [
        [result.label, *(_words(result.kind, value) for value in values)] for result, values in results_of(runs)
    ]
    differing = [[label, *values] for label, values in differing_settings(runs).items()]
    lines = table(["", *unique_names(runs)], [*results, *differing])
    return lines if differing else [*lines, "All settings are the same; only chance and the machine differ."]


def _words(kind: ResultKind, value: float | None) -> str:
    return NOT_PART if value is None else _SHOWN[kind](value)


_SHOWN: Final[dict[ResultKind, Callable[[float], str]]] = {
    "share": lambda value: f"{100 * value:.1f} %",
    "loss": lambda value: f"{value:.3g}",
    "whole": lambda value: f"{value:,.0f}",
    "seconds": lambda value: f"{value:,.1f} s",
}


VERB = Verb("compare", "Show what differs between runs and what came out of each.", _add_arguments, _run)
