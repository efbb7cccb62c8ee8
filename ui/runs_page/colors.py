"""One colour for one run, in the list and in the comparison."""

from __future__ import annotations

from collections.abc import Sequence

from tl_core.figures.palette import RUNS
from tl_core.runs import RunRecord


def run_colors(shown: Sequence[RunRecord], runs: Sequence[RunRecord]) -> dict[str, str]:
    """A colour for each run whose curves are shown, by its id.

    It goes by the place of the run among all runs, so that a run keeps it whatever is shown beside it. Of two that
    would have the same one the younger takes the next that is free, as long as there is one.

    Args:
        shown: those with curves.
        runs: all there are.
    """
    oldest_first = [run.id for run in sorted(runs, key=lambda run: run.created)]
    free = list(RUNS)
    colors: dict[str, str] = {}
    for run in sorted(shown, key=lambda run: run.created):
        place = oldest_first.index(run.id) % len(RUNS)
        wished = [*RUNS[place:], *RUNS[:place]]
        colors[run.id] = next((color for color in wished if color in free), wished[0])
        free = [color for color in free if color != colors[run.id]]
    return colors
