"""The studies of the search and of fine-tuning run, go on where they were, and write their pages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import fine_tuning_default, search
from tl_core.advice.curve_rules import FINE_TUNE_EPOCHS
from tl_core.config import TrainingConfig

ROW = {
    "set": "surfaces",
    "size": 10,
    "seed": 1,
    "minutes": search.QUICK.minutes,
    "images": 30,
    "test_images": 60,
    "quick_start": 90.0,
    "search": 95.0,
    "standard_error": 2.8,
    "held_out": 97.0,
    "optimism": 1.0,
    "better": True,
    "networks": 2,
    "trials": 40,
    "sources": 3,
    "quick_start_seconds": 2.0,
    "seconds": 7.0,
    "machine": "a machine",
    "date": "2026-01-01",
}


def test_what_was_measured_is_not_measured_again(tmp_path: Path):
    told = []
    (tmp_path / "search.json").write_text(json.dumps([ROW]), encoding="utf-8")
    search.measure(search.QUICK, tmp_path, told.append)
    assert told == []


def test_the_page_says_what_was_to_be_reached():
    worse = {**ROW, "set": "digits", "search": 80.0}
    page = search.write_page([ROW, worse])
    assert "| surfaces | 10 | 0.1 | 90.0 | 95.0 ± 2.8 |" in page
    assert "- All sizes, 2 rows: Quick start 90.0 %, search 87.5 %, to reach 96 %." in page
    assert "- 10 images of each class, 2 rows: Quick start 90.0 %, search 87.5 %, to reach 92 %." in page
    assert "beyond one standard error: digits with 10 images of each class." in page
    assert "16 of 18 rows are not measured yet" in page
    whole = {**ROW, "set": search.LARGEST, "size": None, "images": 1600, "trials": 612}
    assert "Heads tried on 1,600 images of 3 sources in 0.1 minutes: 612" in search.write_page([whole])


def test_every_change_of_the_study_is_a_training():
    for changes in fine_tuning_default.CHANGES.values():
        config = replace(fine_tuning_default.START, **changes)
        assert config.fine_tune_epochs


def test_the_default_of_fine_tuning_is_what_the_study_chose():
    chosen = fine_tuning_default.CHANGES[fine_tuning_default.CHOSEN]
    assert TrainingConfig().fine_tune_learning_rate == chosen["fine_tune_learning_rate"]
    assert replace(fine_tuning_default.START, **chosen).fine_tune_epochs == FINE_TUNE_EPOCHS
    figures = json.loads((fine_tuning_default.DOCS / "defaults.json").read_text(encoding="utf-8"))
    rows = [row for row in figures[fine_tuning_default.FIGURES] if row["change"] == fine_tuning_default.CHOSEN]
    assert min(row["kept"] - row["head"] for row in rows) > 0, "worse on none"


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", [search, fine_tuning_default])
def test_a_smoke_test_measures_and_writes(program, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert program.main(["--quick", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out.lower().startswith(("# what", "| what"))
    assert program.main(["--quick", "--output", str(tmp_path)]) == 0, "there is nothing left to measure"
