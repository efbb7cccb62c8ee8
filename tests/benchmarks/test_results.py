"""Rows are stored, replaced one by one, and reported as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import FOLDER
from benchmarks.estimate import estimate_row
from benchmarks.readme import BEGIN, END, README, SHORT, short_table, write_short_table
from benchmarks.report import number, report
from benchmarks.results import Estimate, Result, Results

ORDER = ("first", "second")
ROW = Result(
    name="row", program="first", title="a training", against="by hand", target=4, unit="x", values=(2.0, 3.0, 10.0),
    where="a machine", date="2026-01-01 10:00 UTC",
)  # fmt: skip


def test_a_row_is_judged_by_its_median():
    assert ROW.median == 3
    assert ROW.of_target == 0.75
    assert not ROW.met
    assert replace(ROW, target=3).met


def test_less_is_better_where_the_target_is_a_limit():
    row = replace(ROW, at_least=False)
    assert row.met
    assert row.of_target == pytest.approx(4 / 3)
    assert replace(row, values=(-1.0,)).met


def test_rows_come_back_from_the_file_as_they_were(tmp_path: Path):
    row = replace(ROW, estimates=(Estimate(of="a run", estimated=2, seconds=3, informed=True),))
    Results(tmp_path).keep(row, ORDER)
    assert Results(tmp_path).read() == {"row": row}


def test_measuring_one_benchmark_again_leaves_the_others_alone(tmp_path: Path):
    results = Results(tmp_path)
    other = replace(ROW, name="other", program="second")
    results.keep(other, ORDER)
    results.keep(ROW, ORDER)
    results.keep(replace(ROW, values=(5.0,)), ORDER)
    assert results.read() == {"row": replace(ROW, values=(5.0,)), "other": other}
    assert list(results.read()) == ["row", "other"]


def test_the_cause_of_a_miss_stays_until_the_target_is_reached(tmp_path: Path):
    results = Results(tmp_path)
    results.keep(ROW, ORDER)
    results.explain("row", "decoding takes most of it", ORDER)
    results.keep(replace(ROW, values=(3.5,)), ORDER)
    assert results.read()["row"].cause == "decoding takes most of it"
    results.keep(replace(ROW, values=(4.5,)), ORDER)
    assert results.read()["row"].cause == ""


def test_the_report_lists_missed_targets_and_what_could_not_be_measured():
    absent = replace(ROW, name="absent", values=(), unavailable="not available on this CPU")
    text = report([ROW, absent, replace(ROW, name="good", target=2)])
    assert "| row | a training | by hand | ≥ 4x | 3x (2 to 10x, n = 3) | 0.75 | **missed** |" in text
    assert "| absent | a training | by hand | ≥ 4x | not available on this CPU | – | – |" in text
    assert "- **row**, 3x: the cause is not known yet" in text
    assert "**good**, " not in text


def test_the_report_names_every_machine_it_has_figures_of():
    text = report([ROW, replace(ROW, name="elsewhere", where="another machine")])
    assert "- a machine. Measured 2026-01-01 10:00 UTC (row)." in text
    assert "- another machine. Measured 2026-01-01 10:00 UTC (elsewhere)." in text


def test_the_estimate_is_judged_by_its_worst_training():
    good = Estimate(of="good", estimated=10, seconds=11, informed=True)
    low = Estimate(of="low", estimated=10, seconds=20, informed=False)
    row = estimate_row([replace(ROW, estimates=(good,)), replace(ROW, estimates=(low,))])
    assert row.values == (2.0,)
    assert "low 10.0 s, 20.0 s (a guess" in row.note
    assert estimate_row([ROW]).unavailable


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (99.99, "100"), (12345.6, "12,346")]
)
def test_three_digits_are_enough(value: float, text: str):
    assert number(value) == text


def test_the_readme_shows_what_was_measured():
    rows = Results(FOLDER).read()
    shown = README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown.strip() == short_table(rows)
    assert set(SHORT) <= set(rows)
    assert not any(row.quick for row in rows.values())


def test_every_missed_target_of_the_repository_has_its_cause():
    assert [row.name for row in Results(FOLDER).read().values() if row.values and not row.met and not row.cause] == []


def test_the_short_table_replaces_only_its_place(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    row = replace(ROW, name="photo", where="a CPU; Python")
    write_short_table(readme, {"photo": row})
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "| 3x | at least 4x, **missed** |" in text
    assert "Medians on a CPU." in text
    assert "old" not in text
    readme.write_text("no place")
    with pytest.raises(ValueError, match="no place for the table"):
        write_short_table(readme, {})
