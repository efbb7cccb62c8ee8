"""The pages show what an earlier version has written; driven without a browser."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.old_workspaces.conftest import Old
from tests.ui.pages_without_browser import open_page, texts

RUNS = "pages/3_Runs.py"
SHOWN_AS = {
    "done": "Done",
    "stopped": "Stopped by you",
    "failed": "Failed",
    "interrupted": "Cut off",
}
CUT_OFF = "This run was cut off: the program ended while it was at work."
NEVER_BEGUN = "This run was cut off before its first epoch."
RESUME, MORE = "Resume from the last epoch", "Train 5 more epochs"
AGAIN = "Start it again"


@pytest.fixture
def old_pages(old: Old, monkeypatch: pytest.MonkeyPatch) -> Old:
    """The pages show the old workspace."""
    monkeypatch.setenv("TL_WORKSPACE", str(old.folder / "workspace"))
    monkeypatch.delenv("TL_DATA_ROOT", raising=False)
    return old


def plain_texts(at: AppTest) -> str:
    """The text of a page, without the backslashes that keep names from being read as Markdown."""
    return texts(at).replace("\\", "")


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def test_home_shows_the_latest_run(old_pages: Old):
    links = [link.label.replace("\\", "") for link in open_page().main.page_link]
    assert any(label.endswith("Ada's, shared") for label in links)


def test_the_runs_page_lists_every_run_with_its_status(old_pages: Old):
    rows = open_page(RUNS).dataframe[0].value
    found = [
        (name.removeprefix("★ "), status.removesuffix(", no model"))
        for name, status in zip(rows["run"], rows["status"], strict=True)
    ]
    assert found == [(run["name"], SHOWN_AS[run["status"]]) for run in old_pages.expected["runs"]["runs"]]


@pytest.mark.parametrize(
    ("name", "offered", "sentence"),
    [
        ("Head alone", MORE, "The best one so far."),
        ("Two phases", MORE, "Zwei Phasen ★ 火车"),
        ("Stopped in mid-run", MORE, "of the 9 test images are right (validation 66.7 %)."),
        ("Failed with a model", None, "The loss became infinite in epoch 3"),
        ("Failed before it began", None, "MobileNetV3Small has 157 layers, of which 0 to 157 can be frozen."),
        ("Killed while it waited", AGAIN, NEVER_BEGUN),
        ("Killed before its first epoch", AGAIN, NEVER_BEGUN),
        ("Killed while fine-tuning", RESUME, CUT_OFF),
        ("Given up because it hung", RESUME, CUT_OFF),
    ],
)
def test_the_page_of_a_run_shows_how_it_ended_and_the_next_steps(
    old_pages: Old, name: str, offered: str | None, sentence: str
):
    at = open_page(RUNS, run=old_pages.run_id(name))
    everything = plain_texts(at) + "\n".join(area.value for area in at.text_area)
    assert sentence in everything
    assert [label for label in (RESUME, AGAIN, MORE) if label in labels(at)] == ([offered] if offered else [])


def test_the_data_page_shows_every_dataset(old_pages: Old):
    for dataset_id, dataset in old_pages.expected["datasets"].items():
        at = open_page("pages/1_Data.py", dataset=dataset_id)
        assert dataset["name"] in plain_texts(at)
        [classes] = [box.options for box in at.selectbox if box.label == "Class"]
        assert classes == ["All classes", *dataset["classes"]]


def test_the_evaluate_page_shows_a_kept_evaluation(old_pages: Old):
    run_id = old_pages.run_id("Head alone")
    at = open_page("pages/4_Evaluate.py", run=run_id)
    assert "Of 9 test images the model gets 8 right" in texts(at)


def test_the_predict_page_offers_every_imported_model(old_pages: Old):
    for model_id, model in old_pages.expected["models"].items():
        shown = plain_texts(open_page("pages/5_Predict.py", model=model_id))
        assert model["name"] in shown
        assert f"It knows {len(model['classes'])} classes" in shown


def test_the_train_page_opens_with_an_old_dataset(old_pages: Old):
    (dataset_id,) = [key for key, dataset in old_pages.expected["datasets"].items() if dataset["name"] == "Colours"]
    assert "Colours" in str(open_page("pages/2_Train.py", dataset=dataset_id).main)
