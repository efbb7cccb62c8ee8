"""``python -m benchmarks [NAME...] [--quick]``: measure, and write ``results.json`` and ``RESULTS.md``.

Each row is written as soon as it is measured, so an interrupted run keeps what it has; naming a benchmark
replaces its rows alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.estimate import estimate_row
from benchmarks.machine import busy, describe_machine, today
from benchmarks.programs import ORDER, PROGRAMS
from benchmarks.readme import README, write_short_table
from benchmarks.report import number, quantity, write_report
from benchmarks.results import Result, Results
from benchmarks.session import PAIRS, BenchmarkError, Session, end_on_sigterm

FOLDER: Final = Path(__file__).parent
QUICK_FOLDER: Final = Path(tempfile.gettempdir()) / "benchmarks-quick"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks named (all without a name); returns the exit code: 1 if one could not be measured."""
    options = _parser().parse_args(arguments)
    folder = options.output or (QUICK_FOLDER if options.quick else FOLDER)
    results = Results(folder)
    if options.explain:
        row, cause = options.explain
        results.explain(row, cause, ORDER)
    elif not options.report:
        with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=options.scratch) as scratch:
            pairs = options.pairs or (1 if options.quick else PAIRS)
            session = Session(Path(scratch), pairs=pairs, quick=options.quick)
            failed = _run(options.names or list(PROGRAMS), session, results, folder)
        return 1 if failed else 0
    _report(folder, results)
    return 0


def _run(names: Sequence[str], session: Session, results: Results, folder: Path) -> list[str]:
    """Measure; returns the benchmarks that failed."""
    where, failed = describe_machine(), []
    minutes = sum(PROGRAMS[name].minutes for name in names) * session.pairs / PAIRS
    session.say(f"{where}; other work on the machine: {busy()}")
    if not session.quick:
        session.say(f"{len(names)} benchmarks, about {minutes:.0f} minutes on two cores")
    for name in names:
        session.program, began = name, time.monotonic()
        try:
            for row in PROGRAMS[name].run(session):
                _keep(replace(row, where=where, date=today(), quick=session.quick), session, results, folder)
        except BenchmarkError as error:
            session.say(str(error))
            failed.append(name)
        session.tidy()
        session.say(f"done after {(time.monotonic() - began) / 60:.1f} minutes")
    return failed


def _keep(row: Result, session: Session, results: Results, folder: Path) -> None:
    results.keep(row, ORDER)
    estimates = replace(estimate_row(results.read().values()), where=row.where, date=row.date, quick=row.quick)
    results.keep(estimates, ORDER)
    _report(folder, results)
    if not row.values:
        session.say(f"{row.name}: {row.unavailable}")
        return
    verdict = "met" if row.met else "missed"
    session.say(f"{row.name}: {quantity(row.median, row.unit)}, target {number(row.target)}: {verdict}")


def _report(folder: Path, results: Results) -> None:
    """The whole report, and, where the figures are those of the repository, the short table of the README."""
    rows = results.read()
    write_report(folder, list(rows.values()))
    if folder == FOLDER:
        write_short_table(README, rows)


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {p.name:<12} {p.text} (about {p.minutes:g} minutes)" for p in PROGRAMS.values())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure the product against hand-written Keras on this machine.\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", choices=[*PROGRAMS, []], metavar="NAME", help="all without a name")
    parser.add_argument("--quick", action="store_true", help="a smoke test: tiny sizes, figures that mean nothing")
    parser.add_argument("--pairs", type=int, help=f"rounds (by default {PAIRS})")
    parser.add_argument("--output", type=Path, help="folder of results.json and RESULTS.md (by default this one)")
    parser.add_argument("--scratch", type=Path, help="folder on a disk with 6 GB free (by default the system's)")
    parser.add_argument("--report", action="store_true", help="only write RESULTS.md anew")
    parser.add_argument("--explain", nargs=2, metavar=("ROW", "CAUSE"), help="write down why a row misses its target")
    return parser


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
