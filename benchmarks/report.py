"""``RESULTS.md``, made from the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.results import Result
from tl_core.storage.files import write_bytes

FILE: Final = "RESULTS.md"
_UNITS: Final = {"x": "x", "%": " %"}

_INTRODUCTION: Final = """\
# Results of the benchmarks

Written by `python -m benchmarks`; the figures are in `results.json`. Each is a ratio of two contenders, measured
side by side on the same machine. They take turns, round after round, each in a fresh process that may use all
cores, with empty caches where that is what is claimed, and with all libraries imported before the clock starts. The
table has the median of the rounds, the lowest and the highest. *Of the target*: 1 is just reached, more is better.
The hand-written side is in `keras_by_hand.py` and beside each benchmark. The speed on a GPU was not measured yet;
`python -m benchmarks.gpu` does it where there is one.
"""


def write_report(folder: Path, rows: Sequence[Result]) -> Path:
    """Write ``RESULTS.md`` into ``folder``."""
    path = folder / FILE
    write_bytes(path, report(rows).encode())
    return path


def report(rows: Sequence[Result]) -> str:
    """All rows as Markdown: machines, table, missed targets, details."""
    parts = [_INTRODUCTION, _machines(rows), _table(rows), _missed(rows), _details(rows)]
    return "\n".join(part for part in parts if part)


def _machines(rows: Sequence[Result]) -> str:
    measured: dict[str, list[Result]] = {}
    for row in rows:
        measured.setdefault(row.where, []).append(row)
    lines = ["## Machine", ""]
    for where, here in measured.items():
        names = "" if len(measured) == 1 else f" ({', '.join(row.name for row in here)})"
        dates = sorted({row.date for row in here})
        when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        lines.append(f"- {where}. Measured {when}{names}.")
    if any(row.quick for row in rows):
        lines += ["", "**Rows of a smoke test (`--quick`) are among these: their figures mean nothing.**"]
    return "\n".join([*lines, ""])


def _table(rows: Sequence[Result]) -> str:
    lines = [
        "## Reached",
        "",
        "| name | benchmark | held against | reach | measured (lowest to highest) | of the target | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        reach = f"{'≥' if row.at_least else '≤'} {quantity(row.target, row.unit)}"
        cells = (row.name, _title(row), row.against or "–", reach, *_outcome(row))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _outcome(row: Result) -> tuple[str, str, str]:
    if not row.values:
        return row.unavailable, "–", "–"
    spread = ""
    if len(row.values) > 1:
        spread = f" ({number(min(row.values))} to {quantity(max(row.values), row.unit)}, n = {len(row.values)})"
    of_target = "–" if row.of_target == float("inf") else f"{row.of_target:.2f}"
    return quantity(row.median, row.unit) + spread, of_target, "met" if row.met else "**missed**"


def _missed(rows: Sequence[Result]) -> str:
    missed = [row for row in rows if row.values and not row.met]
    if not missed:
        return ""
    lines = ["## Missed, and why", ""]
    for row in missed:
        cause = row.cause or f'the cause is not known yet (`python -m benchmarks --explain {row.name} "the cause"`)'
        lines.append(f"- **{row.name}**, {quantity(row.median, row.unit)}: {cause}")
    return "\n".join([*lines, ""])


def _details(rows: Sequence[Result]) -> str:
    lines = ["## How each was measured", ""]
    for row in rows:
        if not row.values:
            continue
        sides = _sides(row)
        lines.append(f"- **{row.name}**: {row.note or 'See the row before.'}{sides}")
    return "\n".join([*lines, ""])


def _sides(row: Result) -> str:
    sides: Mapping[str, tuple[float, ...]] = {"Ours": row.ours, "the other side": row.theirs}
    told = [f"{name} {_range(values, row.measured_in)}" for name, values in sides.items() if values]
    return f" {', '.join(told)}." if told else ""


def _range(values: Sequence[float], unit: str) -> str:
    if len(values) == 1:
        return quantity(values[0], unit)
    return f"{number(min(values))} to {quantity(max(values), unit)}"


def _title(row: Result) -> str:
    return f"{row.title} *(smoke test)*" if row.quick else row.title


def quantity(value: float, unit: str) -> str:
    """A number with its unit."""
    return number(value) + _UNITS.get(unit, f" {unit}")


def number(value: float) -> str:
    """Three digits that matter: 0.0123, 1.23, 12.3, 123, 12,345."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
