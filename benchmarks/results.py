"""What was measured, row by row, in ``results.json``: the file that ``RESULTS.md`` is made from."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from tl_core.storage.files import read_json, write_json

FILE: Final = "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a person was told before Start, and what it came to."""

    of: str
    estimated: float  # seconds
    seconds: float
    informed: bool  # an earlier run on this machine was known

    @property
    def factor(self) -> float:
        """How far off, 1 or more, whichever way."""
        return max(self.estimated / self.seconds, self.seconds / self.estimated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row: what was reached, held against its target."""

    name: str
    program: str  # the benchmark that measured it
    title: str
    against: str  # the other contender; empty where the row has none
    target: float
    unit: str  # of target and values: "x", "s", "GiB", "points", ...
    at_least: bool = True  # else the target is the most that is allowed
    values: tuple[float, ...] = ()  # one per round
    ours: tuple[float, ...] = ()  # what the values were computed from, one per round
    theirs: tuple[float, ...] = ()
    measured_in: str = "s"  # unit of ours and theirs
    note: str = ""  # how it was measured; what was computed and not measured
    unavailable: str = ""  # why there are no values
    estimates: tuple[Estimate, ...] = ()

    # Filled in when the result is kept.
    cause: str = ""  # of a missed target, written by whoever found it
    where: str = ""  # machine and versions
    date: str = ""  # ISO 8601, UTC
    quick: bool = False  # measured by a smoke test, so the figures mean nothing

    @property
    def median(self) -> float:
        """Median of the values."""
        return statistics.median(self.values)

    @property
    def of_target(self) -> float:
        """How far the target was reached: 1 is just so, above is better."""
        if not self.at_least:
            return self.target / self.median if self.median > 0 else float("inf")
        return self.median / self.target

    @property
    def met(self) -> bool:
        """Whether the median reaches the target."""
        return self.of_target >= 1


def ratios(upper: Sequence[float], lower: Sequence[float]) -> tuple[float, ...]:
    """Pair by pair."""
    return tuple(a / b for a, b in zip(upper, lower, strict=True))


class Results:
    """The rows in a folder's ``results.json``."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def read(self) -> dict[str, Result]:
        """Rows by name; empty where nothing was measured yet."""
        try:
            return {values["name"]: _from_values(values) for values in read_json(self._file)}
        except FileNotFoundError:
            return {}

    def keep(self, result: Result, order: Sequence[str]) -> None:
        """Put one row in place of an older one of its name; what was found out about a miss stays with it.

        Args:
            order: names of the benchmarks, in which the rows are kept.
        """
        rows = self.read()
        before = rows.get(result.name)
        still_missed = before is not None and bool(result.values) and not result.met
        rows[result.name] = replace(result, cause=before.cause) if before and still_missed else result
        self._write(rows, order)

    def explain(self, name: str, cause: str, order: Sequence[str]) -> None:
        """Write down why a row misses its target.

        Raises:
            KeyError: there is no such row.
        """
        rows = self.read()
        rows[name] = replace(rows[name], cause=cause)
        self._write(rows, order)

    def _write(self, rows: Mapping[str, Result], order: Sequence[str]) -> None:
        place = {name: index for index, name in enumerate(order)}
        ordered = sorted(rows.values(), key=lambda row: place.get(row.program, len(place)))
        write_json(self._file, [asdict(row) for row in ordered])


def _from_values(values: dict[str, Any]) -> Result:
    known = {field.name for field in fields(Result)}
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known
    }
    plain["estimates"] = tuple(Estimate(**entry) for entry in values["estimates"])
    return Result(**plain)
