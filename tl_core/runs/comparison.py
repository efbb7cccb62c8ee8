"""The settings in which runs differ, and their results: which change was better?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from tl_core.config.format_settings import format_settings
from tl_core.runs import RunRecord
from tl_core.runs.evaluations import read_metrics
from tl_core.runs.progress import trained_config

ResultKind = Literal["share", "loss", "whole", "seconds"]
NOT_PART: Final = "–"  # of a setting that took no part in a run


@dataclass(frozen=True, slots=True)
class Result:
    """One figure by which runs are compared."""

    name: str
    label: str
    kind: ResultKind
    of: Callable[[RunRecord], float | None]  # a share is 0-1; None where it is not known


def run_seconds(run: RunRecord, now: datetime | None = None) -> float | None:
    """How long the run has taken so far; None before it began, or where nobody wrote down when it ended."""
    still = (now or datetime.now(UTC)) if run.status == "running" else None
    end = datetime.fromisoformat(run.finished) if run.finished else still
    return (end - datetime.fromisoformat(run.started)).total_seconds() if run.started and end else None


RESULTS: Final = (
    Result("val_accuracy", "Validation accuracy", "share", lambda run: run.best.val_accuracy if run.best else None),
    Result("val_loss", "Validation loss", "loss", lambda run: run.best.val_loss if run.best else None),
    Result("test_accuracy", "Test accuracy", "share", lambda run: read_metrics(run).get("test", {}).get("accuracy")),
    Result("best_epoch", "Epoch of the model", "whole", lambda run: run.best.epoch if run.best else None),
    Result("seconds", "Duration", "seconds", run_seconds),
)


def results_of(runs: Sequence[RunRecord]) -> list[tuple[Result, list[float | None]]]:
    """Each of `RESULTS` that is known of at least one run, with one value per run."""
    rows = [(result, [result.of(run) for run in runs]) for result in RESULTS]
    return [(result, values) for result, values in rows if any(value is not None for value in values)]


def differing_settings(runs: Sequence[RunRecord]) -> dict[str, list[str]]:
    """Settings that are not the same in all runs: label -> one value per run; ``–`` where it took no part."""
    all_of = [_settings(run) for run in runs]
    labels = dict.fromkeys(label for settings in all_of for label in settings)
    rows = {label: [settings.get(label, NOT_PART) for settings in all_of] for label in labels}
    return {label: values for label, values in rows.items() if len(set(values)) > 1}


def unique_names(runs: Sequence[RunRecord]) -> list[str]:
    """The names of the runs, with a number where two share one."""
    names = [run.name for run in runs]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]


def _settings(run: RunRecord) -> Mapping[str, str]:
    words = {"Dataset": run.dataset_name}
    for title, rows in format_settings(trained_config(run)).items():
        for label, value in rows.items():
            words[label if label not in words else f"{title}: {label}"] = value
    return words
