"""The verbs that print tables: ``backbones``, ``runs`` and ``compare``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

from tl_core.backbones.registry import BACKBONES
from tl_core.backbones.weights import weights_status
from tl_core.command_line.verb import DONE, Output, Verb, no_arguments, table
from tl_core.command_line.watching import outcome
from tl_core.errors import ConfigError
from tl_core.runs import RunRecord, find_run, has_tags, list_runs
from tl_core.runs.comparison import NOT_PART, ResultKind, differing_settings, results_of, unique_names
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace


def _list_backbones(_options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    rows: list[dict[str, Any]] = []
    for backbone in BACKBONES.values():
        status = weights_status(backbone, workspace)
        rows.append(
            {
                "name": backbone.name,
                "title": backbone.title,
                "family": backbone.family,
                "image_size": backbone.image_size,
                "parameters": backbone.base_parameters,
                "top1": backbone.top1,
                "weights_here": status.here,
                "download_mb": round(status.download_mb, 1),
            }
        )
    head = ["name", "input", "parameters", "top-1 %", "weights"]
    output.result({"backbones": rows}, table(head, [_backbone_row(row) for row in rows]))
    return DONE


def _backbone_row(values: dict[str, Any]) -> list[Any]:
    weights = "here" if values["weights_here"] else f"{values['download_mb']:.0f} MB to download"
    parameters = f"{values['parameters'] / 1e6:.1f} M"
    return [values["name"], f"{values['image_size']} px", parameters, values["top1"] or "", weights]


def _add_tag_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tag", action="append", default=[], help="only runs with this tag; may be given again")


def _list_runs(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    found = [run for run in list_runs(workspace) if has_tags(run, options.tag)]
    head = ["run", "status", "dataset", "backbone", "validation", "tags"]
    output.result({"runs": [_run_values(run) for run in found]}, table(head, [_run_row(run) for run in found]))
    return DONE


def _run_values(run: RunRecord) -> dict[str, Any]:
    what = {"name": run.name, "tags": run.tags, "dataset": run.dataset_name, "backbone": run.config.backbone}
    return {**outcome(run), **what}


def _run_row(run: RunRecord) -> list[str]:
    accuracy = percent(run.best.val_accuracy) if run.best else ""
    return [run.id, run.status, run.dataset_name, run.config.backbone, accuracy, ", ".join(run.tags)]


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help="ids of at least two runs, as `runs` lists them")


def _compare(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    runs = [find_run(workspace, run_id) for run_id in dict.fromkeys(options.runs)]
    if len(runs) < 2:
        raise ConfigError(f"Comparing takes the ids of at least two runs. Received: {', '.join(options.runs)}.")
    output.result(_compared_values(runs), _compared_lines(runs))
    return DONE


def _compared_values(runs: list[RunRecord]) -> dict[str, Any]:
    results = results_of(runs)
    rows = [
        {
            "run_id": run.id,
            "name": run.name,
            "status": run.status,
            **{result.name: values[place] for result, values in results},
            "config": run.config.to_dict(),
        }
        for place, run in enumerate(runs)
    ]
    return {"runs": rows, "differing": differing_settings(runs)}


def _compared_lines(runs: list[RunRecord]) -> list[str]:
    results = [
        [result.label, *(_format_result(result.kind, value) for value in values)]
        for result, values in results_of(runs)
    ]
    differing = [[label, *values] for label, values in differing_settings(runs).items()]
    lines = table(["", *unique_names(runs)], [*results, *differing])
    return lines if differing else [*lines, "All settings are the same; only chance and the machine differ."]


_FORMATS: Final[dict[ResultKind, Callable[[float], str]]] = {
    "share": percent,
    "loss": lambda value: f"{value:.3g}",
    "whole": lambda value: f"{value:,.0f}",
    "seconds": lambda value: f"{value:,.1f} s",
}


def _format_result(kind: ResultKind, value: float | None) -> str:
    return NOT_PART if value is None else _FORMATS[kind](value)


BACKBONES_VERB = Verb("backbones", "List the backbones.", no_arguments, _list_backbones)
RUNS_VERB = Verb("runs", "List all runs, newest first.", _add_tag_argument, _list_runs)
COMPARE_VERB = Verb(
    "compare", "Show what differs between runs and what came out of each.", _add_run_arguments, _compare
)
