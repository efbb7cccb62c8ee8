"""The verbs that print tables: ``backbones``, ``runs``, ``compare``; and the id of what was called by its name."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.registry import all_backbones
from tl_core.backbones.weights import weights_status
from tl_core.command_line.train import outcome
from tl_core.command_line.verb import Output, table
from tl_core.data import list_datasets
from tl_core.data.samples import SAMPLES
from tl_core.errors import ConfigError, DatasetNotFoundError, RunNotFoundError
from tl_core.runs import find_run, has_tags, list_runs
from tl_core.runs.comparison import NOT_PART, ResultKind, differing_settings, results_of, test_accuracy, unique_names
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace, is_id


def list_backbones(_options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Print all backbones."""
    values: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    for backbone in all_backbones(workspace):
        status = weights_status(backbone, workspace)
        values.append(
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
        weights = "here" if status.here else f"{status.download_mb:.0f} MB to download"
        parameters = f"{backbone.base_parameters / 1e6:.1f} M"
        rows.append([backbone.name, f"{backbone.image_size} px", parameters, backbone.top1 or "", weights])
    return output.result({"backbones": values}, table(["name", "input", "parameters", "top-1 %", "weights"], rows))


def list_all_runs(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Print the runs that have the tags."""
    values: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    for run in list_runs(workspace):
        if has_tags(run, options.tag):
            dataset, backbone = run.dataset_name, run.config.backbone
            values.append(
                outcome(run) | {"name": run.name, "tags": run.tags, "dataset": dataset, "backbone": backbone}
            )
            validation = percent(run.best.val_accuracy) if run.best else ""
            tested = test_accuracy(run)
            test = "" if tested is None else percent(tested)
            rows.append([run.id, run.status, dataset, backbone, validation, test, ", ".join(run.tags)])
    return output.result(
        {"runs": values}, table(["run", "status", "dataset", "backbone", "validation", "test", "tags"], rows)
    )


def compare_runs(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Print the settings in which runs differ, and their results."""
    runs = [find_run(workspace, run_id) for run_id in dict.fromkeys(options.runs)]
    if len(runs) < 2:
        raise ConfigError(f"Comparing takes the ids of at least two runs. Received: {', '.join(options.runs)}.")
    results, differing = results_of(runs), differing_settings(runs)
    values = [
        {
            "run_id": run.id,
            "name": run.name,
            "status": run.status,
            **{result.name: figures[place] for result, figures in results},
            "config": run.config.to_dict(),
        }
        for place, run in enumerate(runs)
    ]
    rows = [
        [result.label, *(NOT_PART if figure is None else _FORMATS[result.kind](figure) for figure in figures)]
        for result, figures in results
    ]
    lines = table(["", *unique_names(runs)], [*rows, *([label, *texts] for label, texts in differing.items())])
    if not differing:
        lines.append("All settings are the same; only chance and the machine differ.")
    return output.result({"runs": values, "differing": differing}, lines)


_FORMATS: Final[dict[ResultKind, Callable[[float], str]]] = {
    "share": percent,
    "loss": lambda value: f"{value:.3g}",
    "whole": lambda value: f"{value:,.0f}",
    "seconds": lambda value: f"{value:,.1f} s",
}


def put_ids_for_names(options: argparse.Namespace, workspace: Workspace) -> None:
    """Where a dataset or a run was called by a name that only one has, put its id; a file of that name goes first.

    Raises:
        DatasetNotFoundError: several datasets have this name.
        RunNotFoundError: several runs have this name.
    """
    given: Mapping[str, Any] = vars(options)
    for field in ("dataset", "data"):
        name = given.get(field)
        if name and _may_be_a_name(name) and name not in SAMPLES:
            ids = [dataset.id for dataset in list_datasets(workspace) if dataset.name == name]
            setattr(options, field, _only(name, ids, "datasets", DatasetNotFoundError))
    named = [name for name in (given.get("run"), *given.get("runs", ())) if name and _may_be_a_name(name)]
    if named and not given.get("model"):  # else the first word is a picture
        runs = list_runs(workspace)
        found = {
            name: _only(name, [run.id for run in runs if run.name == name], "runs", RunNotFoundError)
            for name in named
        }
        if given.get("run") in found:
            options.run = found[options.run]
        if "runs" in given:
            options.runs = [found.get(name, name) for name in options.runs]


def _may_be_a_name(name: str) -> bool:
    return not is_id(name) and not Path(name).expanduser().exists()


def _only(
    name: str, ids: Sequence[str], what: str, error: type[DatasetNotFoundError] | type[RunNotFoundError]
) -> str:
    if len(ids) > 1:
        raise error(f"{len(ids)} {what} are named “{name}”: use the id of one, such as {ids[0]}.")
    return ids[0] if ids else name
