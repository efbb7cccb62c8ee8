"""The lists at the top of every page: entries that are cut still tell which is which."""

from __future__ import annotations

import pytest

from tests.ui.pages_without_browser import open_page, texts
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.imported_models.importing import import_model
from ui.frame.strip import DATASET_KEY, telling_apart

LONG = "Surfaces of brick, grass and gravel, autumn"


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["Pets", "Photos"], ["Pets", "Photos"]),
        ([f"{LONG} 2025", "Pets"], [f"{LONG} 2025", "Pets"]),  # whole: it begins as nothing else does
        ([f"{LONG} 2025", f"{LONG} 2026", "Pets"], ["Surfaces of bri…2025", "Surfaces of bri…2026", "Pets"]),
        ([f"{LONG} 5, first half", f"{LONG} 6, second half"], ["Surfaces…5, first half", "Surfaces…6, second half"]),
        (["x" * 30, "x" * 31], ["x" * 15 + "…xxxx", "x" * 14 + "…xxxxx"]),
        (["Digits of many writers", "Digits of many writers (2)"], ["Digits of ma…writers", "Digits of…writers (2)"]),
        (
            ["Digits, EfficientNet-Lite0 · 95.0 % test", "Digits, EfficientNet-Lite0 2 · 97.2 % test"],
            ["Digits, E…95.0 % test", "Digits, E…2 · 97.2 % test"],
        ),
    ],
)
def test_entries_of_one_beginning_show_where_they_differ(labels, shown):
    found = telling_apart(dict(enumerate(labels)), 20)
    assert len(set(found.values())) == len(labels)
    assert list(found.values()) == shown


def test_while_a_file_answers_its_name_stands_in_place_of_the_lists(workspace):
    run = ended_run(workspace, colour_dataset(workspace), "Red or blue")
    at = open_page("pages/5_Predict.py", run=run.id)
    assert "Model from a file" not in texts(at)
    model = import_model(workspace, run.folder.model_file, "zebra.keras", ["blue", "red"])
    at = open_page("pages/5_Predict.py", model=model.id)
    assert f"Model from a file: **{model.name}**" in texts(at)
    assert DATASET_KEY not in at.session_state
    at = open_page("pages/4_Evaluate.py", run=run.id, model=model.id)
    assert at.selectbox(key=DATASET_KEY)
