"""The settings in which runs differ, and their results: which change was better?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from tl_core.config import SETTINGS, TrainingConfig
from tl_core.config.format_settings import format_settings
from tl_core.runs import RunRecord
from tl_core.runs.evaluations import read_metrics
from tl_core.runs.progress import trained_config, worked_seconds

ResultKind = Literal["share", "loss", "whole", "seconds"]
LOOKED_AT: Final = 20  # earlier runs on the same images
NOT_PART: Final = "–"  # of a setting that took no part in a run


@dataclass(frozen=True, slots=True)
class Result:
    """One figure by which runs are compared."""

    name: str
    label: str
    kind: ResultKind
    of: Callable[[RunRecord], float | None]  # a share is 0-1; None where it is not known
    better: Literal["high", "low"] | None = None  # None = neither is better


def run_seconds(run: RunRecord, now: datetime | None = None) -> float | None:
    """How long the run has worked so far, without its pauses; None before it began, or where its end is not known."""
    if run.finished and (worked := worked_seconds(run)):
        return worked
    still = (now or datetime.now(UTC)) if run.status == "running" else None
    end = datetime.fromisoformat(run.finished) if run.finished else still
    return (end - datetime.fromisoformat(run.started)).total_seconds() if run.started and end else None


def test_accuracy(run: RunRecord) -> float | None:
    """Share of right answers among the test images, 0-1; None where it was not measured."""
    found: float | None = read_metrics(run).get("test", {}).get("accuracy")
    return found


RESULTS: Final = (
    Result(
        "val_accuracy",
        "Validation accuracy",
        "share",
        lambda run: run.best.val_accuracy if run.best else None,
        "high",
    ),
    Result("val_loss", "Validation loss", "loss", lambda run: run.best.val_loss if run.best else None, "low"),
    Result("test_accuracy", "Test accuracy", "share", test_accuracy, "high"),
    Result("best_epoch", "Epoch of the model", "whole", lambda run: run.best.epoch if run.best else None),
    Result("seconds", "Duration", "seconds", run_seconds),
)


def results_of(runs: Sequence[RunRecord]) -> list[tuple[Result, list[float | None]]]:
    """Each of `RESULTS` that is known of at least one run, with one value per run."""
    rows = [(result, [result.of(run) for run in runs]) for result in RESULTS]
    return [(result, values) for result, values in rows if any(value is not None for value in values)]


def best_places(result: Result, values: Sequence[float | None]) -> set[int]:
    """Which of the values are the best; none where none is better than another."""
    known = [value for value in values if value is not None]
    if result.better is None or len(set(known)) < 2:
        return set()
    best = max(known) if result.better == "high" else min(known)
    return {place for place, value in enumerate(values) if value == best}


def differing_settings(runs: Sequence[RunRecord]) -> dict[str, list[str]]:
    """Settings that are not the same in all runs: label -> one value per run; ``–`` where it took no part."""
    all_of = [_settings(run) for run in runs]
    labels = dict.fromkeys(label for settings in all_of for label in settings)
    rows = {label: [settings.get(label, NOT_PART) for settings in all_of] for label in labels}
    return {label: values for label, values in rows.items() if len(set(values)) > 1}


def changes_between(before: TrainingConfig, after: TrainingConfig, longest: int | None = None) -> list[str]:
    """What another configuration changes, such as ``Learning rate 0.002 → 0.001``; what it is called is no change.

    Args:
        longest: characters of one change; where it would be longer, the old value is left out.
    """
    old, new = _settings_of(before), _settings_of(after)
    labels = [label for label in dict.fromkeys([*old, *new]) if label != SETTINGS["preset"].label]
    pairs = [(label, old.get(label, NOT_PART), new.get(label, NOT_PART)) for label in labels]
    changes = [(f"{label} {was} → {now}", f"{label} → {now}") for label, was, now in pairs if was != now]
    return [whole if longest is None or len(whole) <= longest else short for whole, short in changes]


def most_similar_earlier(run: RunRecord, runs: Sequence[RunRecord]) -> RunRecord | None:
    """The earlier run on the same images with the fewest other settings, the latest of several; None = there is none.

    Args:
        run: one of them.
        runs: newest first.
    """
    earlier = [other for other in runs if other.dataset_id == run.dataset_id and other.created < run.created]
    looked_at = earlier[:LOOKED_AT]
    return min(looked_at, key=lambda other: len(changes_between(other.config, run.config)), default=None)


def unique_names(runs: Sequence[RunRecord]) -> list[str]:
    """The names of the runs, with a number where two share one."""
    names = [run.name for run in runs]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]


def _settings(run: RunRecord) -> Mapping[str, str]:
    revision = f"revision {run.dataset_revision}"
    return {"Dataset": run.dataset_name, "Images": revision, **_flat(format_settings(trained_config(run)))}


@functools.lru_cache(maxsize=512)
def _settings_of(config: TrainingConfig) -> Mapping[str, str]:
    return _flat(format_settings(config))


def _flat(sections: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The settings of all sections; one whose label is used twice gets the title of its section before it."""
    words: dict[str, str] = {}
    for title, rows in sections.items():
        for label, value in rows.items():
            words[label if label not in words else f"{title}: {label}"] = value
    return words
