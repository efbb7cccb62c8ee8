"""The benchmarks run and give figures; no test judges how good these are."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.__main__ import main
from benchmarks.results import Results


@pytest.mark.slow
def test_a_smoke_test_of_the_benchmarks_gives_a_figure_for_every_row(tmp_path: Path):
    assert main(["frozen", "trunk", "photo", "evaluation", "--quick", "--output", str(tmp_path)]) == 0
    rows = Results(tmp_path).read()
    assert rows.keys() >= {"frozen_end_to_end", "frozen_predict_once", "frozen_second_run", "photo", "heat_map"}
    assert all(row.quick for row in rows.values())
    assert all(row.unavailable or row.values for row in rows.values())
    ratios = {name: row for name, row in rows.items() if row.unit == "x" and row.values}
    assert ratios.keys() >= {"frozen_end_to_end", "trunk_efficientnet_lite0_float32", "photo", "estimate"}
    assert all(value > 0 for row in ratios.values() for value in row.values)
    report = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in report for name in rows)
    assert "smoke test" in report


@pytest.mark.long
def test_what_a_person_waits_for_on_the_pages_can_be_measured(tmp_path: Path):
    assert main(["pages", "--quick", "--output", str(tmp_path)]) == 0
    rows = Results(tmp_path).read()
    assert all(rows[name].median > 0 for name in ("confusion_cell", "comparing"))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_comparison_on_a_gpu_gives_a_figure_for_every_row(tmp_path: Path):
    assert gpu.main(["--quick", "--rounds", "1", "--output", str(tmp_path)]) == 0
    rows = Results(tmp_path).read()
    assert len(rows) == 9
    assert all(row.median > 0 for row in rows.values())


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["faster_than_light"])
    assert "faster_than_light" in capsys.readouterr().err
