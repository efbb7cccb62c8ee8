"""Whether the time said before Start was right, on every training that the other benchmarks measured."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.results import Estimate, Result

PROGRAM = "estimate"


def estimate_row(rows: Iterable[Result]) -> Result:
    """The row made of what the other rows know; measures nothing itself."""
    estimates = [estimate for row in rows for estimate in row.estimates]
    return Result(
        name="estimate",
        program=PROGRAM,
        title="the time said before Start: how far off at worst, over the trainings of these benchmarks",
        against="the time it took",
        target=1.5,
        unit="x",
        at_least=False,
        values=(max(estimate.factor for estimate in estimates),) if estimates else (),
        unavailable="" if estimates else "no training was measured yet",
        note="Said, measured: " + "; ".join(_in_words(estimate) for estimate in estimates) + ".",
    )


def _in_words(estimate: Estimate) -> str:
    basis = "" if estimate.informed else " (a guess: nothing was known of this machine)"
    return f"{estimate.of} {estimate.estimated:.1f} s, {estimate.seconds:.1f} s{basis}"
