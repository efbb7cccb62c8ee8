"""``search``: find the best model for some images, in the foreground."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import Any

from tl_core.backbones.registry import get_backbone
from tl_core.command_line.import_data import find_or_import
from tl_core.command_line.train import stopping_on_signals
from tl_core.command_line.verb import DONE, STOPPED, Argument, Output, argument, writing
from tl_core.errors import ConfigError
from tl_core.search.record import GOALS, Search, create_search, find_search, prepare_to_go_on
from tl_core.search.sources.downloads import describe_downloads
from tl_core.search.space import DOWNLOADS
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace

ARGUMENTS: tuple[Argument, ...] = (
    argument("--data", metavar="DATASET|FOLDER", help="dataset id, folder, zip or sample set"),
    argument("--minutes", type=float, default=5.0, help="how long it may take, the winner's training included (5)"),
    argument("--goal", choices=tuple(GOALS), default="accuracy", help="what matters: accuracy alone, or also size"),
    argument("--seed", type=int, default=42, help="of everything random in it"),
    argument(
        "--go-on", metavar="SEARCH", help="go on with this search for --minutes more, in place of beginning one"
    ),
    argument("--recipes", action="store_true", help="also try the published recipes, in half of the time"),
    argument(
        "--allow-downloads",
        action="store_true",
        help="also try backbones whose weights have to be downloaded first, as far as the time allows: "
        f"{describe_downloads([get_backbone(name) for name in DOWNLOADS])}",
    ),
    argument("--report", type=Path, metavar="FILE", help="write a report of the search, one HTML file"),
    argument("--report-of", metavar="SEARCH", help="write the --report of this search, and search nothing"),
)


def search(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Search for the best model."""
    if options.report_of:
        return _report_alone(options, workspace, output)
    found = _begin(options, workspace, output)
    output.say(f"Search {found.id}")
    from tl_core.search.searching import StopRequest, run_search  # TensorFlow, which a wrong option does without

    stop = threading.Event()
    with stopping_on_signals(stop, output):
        found = run_search(found, StopRequest(stop.is_set, stop.clear), output.say)
    values = outcome(found)
    shares = {"Held-out": values["val_accuracy"], "Test": values["test_accuracy"]}
    lines = [f"{label} accuracy {percent(share)}" for label, share in shares.items() if share is not None]
    lines = [f"{found.status}: run {found.run_id}", *lines, found.outcome["text"]]
    if options.report:
        _write_report(found, options.report)
        values["report"] = str(options.report)
        lines.append(str(options.report))
    return output.result(values, lines, DONE if found.status == "done" else STOPPED)


def _report_alone(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    if not options.report:
        raise ConfigError("Name the file of the report with --report.")
    found = find_search(workspace, options.report_of)
    _write_report(found, options.report)
    return output.result({"search_id": found.id, "report": str(options.report)}, [str(options.report)])


def _write_report(found: Search, path: Path) -> None:
    from tl_core.search.report import write_report  # scikit-learn

    content = write_report(found)
    with writing(path, "--report"):
        path.write_bytes(content)


def outcome(found: Search) -> dict[str, Any]:
    """The outcome of a search in plain values; accuracies are 0-1."""
    known = found.outcome
    return {
        "search_id": found.id,
        "run_id": found.run_id,
        "status": found.status,
        "trials": known["trials"],
        "trial": known["trial"],
        "members": known["members"],  # the trials whose answers the model averages; one where it is no ensemble
        "val_accuracy": known["accuracy"],  # on the held-out images that decided
        "quick_start_val_accuracy": known["quick_start"],  # on the same ones
        "run_val_accuracy": known["run_validation"],
        "expected_run_val_accuracy": known["validation"],
        "test_accuracy": known["test"],
        "optimism": known["optimism"],
        "gain": known["gain"],
        "sure": known["sure"],
        "better": known["better"],
        "text": known["text"],
    }


def _begin(options: argparse.Namespace, workspace: Workspace, output: Output) -> Search:
    if options.go_on:
        return prepare_to_go_on(workspace, options.go_on, options.minutes)
    if not options.data:
        raise ConfigError("Name the images with --data, or a search with --go-on.")
    dataset = find_or_import(workspace, options.data, output)
    wishes = {"recipes": options.recipes, "downloads": options.allow_downloads}
    return create_search(workspace, dataset, options.minutes, options.goal, options.seed, **wishes)
