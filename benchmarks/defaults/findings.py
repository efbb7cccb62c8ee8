"""Carries the whole study out and gathers what was found as plain values, which the document is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from benchmarks.defaults.candidates import (
    CHANGES,
    FINALISTS,
    FIRST_CONFIG,
    FIRST_GUESS,
    PLAIN,
    PLAIN_CONFIG,
    QUICK_CONFIG,
    QUICK_START,
    SECOND_ROUND,
)
from benchmarks.defaults.comparison import Outcomes, compare, mean, paired
from benchmarks.defaults.fine_tuning import TwoPhases
from benchmarks.defaults.image_sets import SETS
from benchmarks.defaults.record import Trial
from benchmarks.defaults.sampling import IMBALANCE
from benchmarks.defaults.study import Grid, Tell, run_fine_tuning, run_heads
from benchmarks.machine import describe_machine, today
from tl_core.config import TrainingConfig

FIRST_ROUND_GRID: Final = Grid(sets=("digits", "scenes"), sizes=(10, 40), seeds=(1,))
SECOND_ROUND_GRID: Final = replace(FIRST_ROUND_GRID, sets=("digits", "scenes", "silhouettes", "handwriting"))
"""Where settings are chosen: the sets on which heads differ (on faces and surfaces all are right)."""

TEST_GRID: Final = Grid(judged_by="test")
UNBALANCED_GRID: Final = Grid(sets=("digits", "scenes", "silhouettes"), sizes=(40,), seeds=(1, 2), unbalanced=True)
FINE_TUNING_GRID: Final = Grid(sets=("scenes", "silhouettes"), sizes=(10,), seeds=(1,))

_FINE_TUNING_EPOCHS: Final = 10
FINE_TUNING: Final[Mapping[str, tuple[str, float]]] = {
    "last convolution, rate 1e-4": ("last convolution", 1e-4),
    "last block, rate 1e-3": ("last block", 1e-3),
    "last block, rate 1e-4": ("last block", 1e-4),
    "last block, rate 1e-5": ("last block", 1e-5),
}
WEIGHED: Final = "class weights"


def carry_out(tell: Tell) -> dict[str, Any]:
    """Run every trial that is not on record, and sum up."""
    return {
        "date": today(),
        "machine": describe_machine(),
        "plain_recipe": PLAIN_CONFIG.to_dict(),
        "quick_start": QUICK_CONFIG.to_dict(),
        "sets": [_described(name) for name in SETS],
        "first_guess": FIRST_CONFIG.to_dict(),
        "first_round": _changes(tuple(CHANGES), FIRST_ROUND_GRID, tell),
        "second_round": _changes(SECOND_ROUND, SECOND_ROUND_GRID, tell),
        "test": _test_rows(run_heads(FINALISTS, TEST_GRID, tell)),
        "class_weights": _class_weights(tell),
        "fine_tuning_epochs": _FINE_TUNING_EPOCHS,
        "fine_tuning": _fine_tuning(tell),
    }


def _described(name: str) -> dict[str, Any]:
    description = SETS[name]
    return {
        "name": name,
        "kind": description.kind,
        "package": description.package,
        "license": description.license,
        "images_per_class": dict(description.pools),
        "classes": description.classes,
    }


def _changes(names: Sequence[str], grid: Grid, tell: Tell) -> list[dict[str, Any]]:
    """Each change against the first guess."""
    outcomes = run_heads({FIRST_GUESS: FIRST_CONFIG, **{name: CHANGES[name] for name in names}}, grid, tell)
    return [
        {
            "name": name,
            **compare(outcomes, name, FIRST_GUESS).to_dict(),
            "seconds": round(mean(one.seconds for one, _ in paired(outcomes, name, FIRST_GUESS)), 2),
        }
        for name in names
    ]


def _test_rows(outcomes: Outcomes) -> list[dict[str, Any]]:
    """Both finalists in every cell, on the test images."""
    rows = []
    for trial, outcome in outcomes.items():
        if trial.candidate != QUICK_START:
            continue
        plain = outcomes[replace(trial, candidate=PLAIN)]
        rows.append(
            {
                "set": trial.set_name,
                "size": trial.size,
                "seed": trial.seed,
                "plain": round(100 * plain.accuracy, 3),
                "plain_last_epoch": round(100 * plain.last_accuracy, 3),
                "quick_start": round(100 * outcome.accuracy, 3),
                "plain_log_loss": round(plain.log_loss, 4),
                "log_loss": round(outcome.log_loss, 4),
                "plain_seconds": round(plain.seconds, 2),
                "seconds": round(outcome.seconds, 2),
                "best_epoch": outcome.best_epoch,
            }
        )
    return rows


def _class_weights(tell: Tell) -> list[dict[str, Any]]:
    """With and without class weights on unbalanced training images, judged by as many images of each class."""
    candidates = {QUICK_START: QUICK_CONFIG, WEIGHED: replace(QUICK_CONFIG, class_weights=True)}
    outcomes = run_heads(candidates, UNBALANCED_GRID, tell)
    rows = []
    for set_name in UNBALANCED_GRID.sets:
        for size in UNBALANCED_GRID.sizes:
            kept = {trial: outcome for trial, outcome in outcomes.items() if trial.cell[:2] == (set_name, size)}
            found = compare(kept, WEIGHED, QUICK_START)
            rows.append({"set": set_name, "size": size, "ratio": IMBALANCE, **found.to_dict()})
    return rows


def _fine_tuning(tell: Tell) -> list[dict[str, Any]]:
    candidates = {name: (depth, _tuned(rate)) for name, (depth, rate) in FINE_TUNING.items()}
    found = run_fine_tuning(candidates, FINE_TUNING_GRID, tell)
    return [_tuning_row(trial, phases) for trial, phases in found.items()]


def _tuned(rate: float) -> TrainingConfig:
    return replace(FIRST_CONFIG, fine_tune_epochs=_FINE_TUNING_EPOCHS, fine_tune_learning_rate=rate)


def _tuning_row(trial: Trial, phases: TwoPhases) -> dict[str, Any]:
    return {
        "name": trial.candidate,
        "set": trial.set_name,
        "size": trial.size,
        "seed": trial.seed,
        "head": round(100 * phases.head.accuracy, 3),
        "kept": round(100 * phases.tuned.accuracy, 3),
        "last_epoch": round(100 * phases.tuned.last_accuracy, 3),
        "seconds": round(phases.tuned.seconds, 1),
    }
