"""Compares candidates cell by cell: the same set, the same number of images, the same draw of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.defaults.record import Trial
from benchmarks.defaults.trials import Outcome

Outcomes = Mapping[Trial, Outcome]
Take = Callable[[Trial], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate against a reference: candidate minus reference, in percentage points of accuracy."""

    cells: int
    mean: float
    standard_error: float  # of the mean, over the cells
    worst: float  # the cell in which the candidate does worst against the reference
    not_worse: int  # cells in which it is at least as good
    log_loss: float  # mean difference; below 0 the candidate's probabilities are better

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to what they are good for."""
        return {
            "cells": self.cells,
            "mean": round(self.mean, 3),
            "standard_error": round(self.standard_error, 3),
            "worst": round(self.worst, 3),
            "not_worse": self.not_worse,
            "log_loss": round(self.log_loss, 4),
        }


def compare(outcomes: Outcomes, candidate: str, reference: str, take: Take = lambda _: True) -> Comparison:
    """Compare in all cells that ``take`` keeps; at least one."""
    pairs = paired(outcomes, candidate, reference, take)
    points = np.array([100 * (one.accuracy - other.accuracy) for one, other in pairs])
    losses = [one.log_loss - other.log_loss for one, other in pairs]
    spread = float(points.std(ddof=1)) if len(points) > 1 else 0.0
    return Comparison(
        cells=len(points),
        mean=float(points.mean()),
        standard_error=spread / len(points) ** 0.5,
        worst=float(points.min()),
        not_worse=int((points >= -1e-9).sum()),
        log_loss=float(np.mean(losses)),
    )


def paired(
    outcomes: Outcomes, candidate: str, reference: str, take: Take = lambda _: True
) -> list[tuple[Outcome, Outcome]]:
    """The outcomes of both in each cell."""
    references = {trial.cell: outcome for trial, outcome in outcomes.items() if trial.candidate == reference}
    return [
        (outcome, references[trial.cell])
        for trial, outcome in outcomes.items()
        if trial.candidate == candidate and take(trial)
    ]


def mean_accuracy(outcomes: Outcomes, candidate: str, take: Take = lambda _: True) -> float:
    """In per cent."""
    return 100 * mean(
        outcome.accuracy for trial, outcome in outcomes.items() if trial.candidate == candidate and take(trial)
    )


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean of at least one value."""
    return float(np.mean(list(values)))
