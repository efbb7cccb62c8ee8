"""The Evaluate page, driven without a browser, on a real model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.tl_core.small_trainings import QUICK
from tests.ui.pages_without_browser import checked, open_page, press, run_until, texts
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.data import delete_dataset
from tl_core.evaluation.cross_validated import kept_cross_validation
from tl_core.inference.calibration import wilson_interval
from tl_core.training import cross_validation
from ui.components.downloads import to_csv
from ui.evaluate_page.measures import result_sentence

PAGE = "pages/4_Evaluate.py"


@pytest.fixture
def dataset(workspace):
    return colour_dataset(workspace)


@pytest.fixture
def run(workspace, dataset):
    return ended_run(workspace, dataset, "Red or blue")


def metrics(at):
    return {metric.label: metric.value for metric in at.metric}


def matrix(at):
    return next(chart.proto for chart in at.get("plotly_chart") if chart.proto.alt.startswith("Confusion matrix"))


def test_without_a_model_it_says_what_to_do(workspace, dataset):
    ended_run(workspace, dataset, model=False)
    at = open_page(PAGE)
    assert "There is no model yet" in texts(at)
    assert [button.label for button in at.button] == ["Train a model"]


def test_the_test_images_are_measured_in_a_sentence_figures_and_classes(run):
    at = open_page(PAGE)
    assert "Of 8 test images the model gets 8 right: 100.0 %." in texts(at)
    assert metrics(at) == {"Accuracy": "100.0 %", "Weakest class": "100.0 %", "Guessing": "50.0 %"}
    assert "All classes are found equally well." in texts(at)
    scores = at.dataframe[0].value
    assert sorted(scores["class"]) == ["blue", "red"]
    assert scores[["precision", "recall", "f1"]].to_numpy().tolist() == [[100.0] * 3] * 2
    assert scores["images"].tolist() == [4, 4]
    assert "model of epoch 5 (feature extraction)" in texts(at)
    assert "None: every image got its right class." in texts(at)
    assert "8 of 8 images lie on the diagonal" in matrix(at).alt


def classes_of_which_one_has_no_images():
    from tl_core.evaluation.evaluate import ClassReport
    from ui.evaluate_page.measures import class_table

    scores = [ClassReport("gone", None, None, None, 0), ClassReport("red", 0.5, 1.0, 2 / 3, 4)]
    class_table(scores, "key", "classes.csv")


def test_a_class_without_images_has_no_figures_and_comes_last():
    at = checked(AppTest.from_function(classes_of_which_one_has_no_images).run())
    scores = at.dataframe[0].value
    assert scores["class"].tolist() == ["red", "gone"]
    assert scores.loc[0, ["precision", "recall"]].tolist() == [50.0, 100.0]
    assert scores.loc[1, ["precision", "recall", "f1"]].isna().all()
    assert at.dataframe[0].proto.placeholder == "–"


def test_validation_images_are_measured_too_and_called_by_their_name(run):
    at = open_page(PAGE)
    checked(at.radio(key="evaluate-split").set_value("validation").run())
    assert "Of 8 validation images" in texts(at)
    assert "chose" in texts(at)


def test_the_cells_show_images_or_percent(run):
    at = open_page(PAGE)
    switch = next(control for control in at.radio if control.label == "Numbers in the cells")
    before = json.loads(matrix(at).spec)["data"][1]["text"]
    checked(switch.set_value("Percent of the row").run())
    after = json.loads(matrix(at).spec)["data"][1]["text"]
    assert (before, after) == (["4", "4"], ["100", "100"])


def test_the_link_chooses_the_run_and_the_choice_becomes_the_link(workspace, dataset, run):
    newer = ended_run(workspace, dataset, "Newer")
    at = open_page(PAGE)
    assert at.selectbox(key="frame-model").value == newer.id
    checked(at.selectbox(key="frame-model").select(run.id).run())
    assert at.query_params["run"] == run.id
    assert open_page(PAGE, run=run.id).selectbox(key="frame-model").value == run.id


def test_a_link_to_a_run_without_a_model_shows_another_and_says_so(workspace, dataset, run):
    nothing = ended_run(workspace, dataset, model=False)
    at = open_page(PAGE, run=nothing.id)
    assert at.selectbox(key="frame-model").value == run.id
    assert "no longer exists" in at.warning[0].value


def test_a_deleted_dataset_is_a_sentence(dataset, run):
    delete_dataset(dataset.workspace, dataset.id)
    at = open_page(PAGE)
    assert "The dataset “Colours” of this run was deleted" in at.error[0].value
    assert "Try it on a photo" in [button.label for button in at.button]


def test_what_was_measured_outlives_the_dataset(dataset, run):
    before = open_page(PAGE)
    delete_dataset(dataset.workspace, dataset.id)
    after = open_page(PAGE)
    assert "What was measured stays" in after.info[0].value
    assert [(metric.label, metric.value) for metric in after.metric] == [
        (metric.label, metric.value) for metric in before.metric
    ]
    assert after.dataframe[0].value.equals(before.dataframe[0].value)


def test_a_damaged_model_is_a_sentence(run):
    run.folder.model_file.write_bytes(b"no model")
    at = open_page(PAGE)
    assert "damaged" in at.error[0].value


def test_the_next_step_is_a_photo(run):
    at = press(open_page(PAGE), "Try it on a photo")
    assert at.title[0].value == "Predict"
    assert at.query_params["run"] == run.id


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [(262, 270, 0.943, 0.985), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (1, 1, 0.207, 1.0)],
)
def test_the_likely_range_is_that_of_wilson(right, images, low, high):
    assert list(wilson_interval(right, images)) == pytest.approx([low, high], abs=1e-3)


def test_the_likely_range_holds_the_truth_about_95_times_in_100():
    drawn = np.random.default_rng(1).binomial(200, 0.9, 2000)
    ranges = [wilson_interval(int(right), 200) for right in drawn]
    assert 0.93 < np.mean([low <= 0.9 <= high for low, high in ranges]) < 0.975


def test_one_image_is_not_plural():
    assert result_sentence(1, 1, "test") == "Of 1 test image the model gets 1 right: 100.0 %."


def test_csv_opens_in_a_spreadsheet_and_runs_nothing():
    text = to_csv(["class", "share"], [("=HYPERLINK()", -0.5), ("γάτα, σκύλος", 1.0), ("@x", 0), ("", 1)])
    assert text.startswith(b"\xef\xbb\xbf")
    assert text.decode("utf-8-sig").splitlines() == [
        "class,share",
        "'=HYPERLINK(),-0.5",
        '"γάτα, σκύλος",1.0',
        "'@x,0",
        ",1",
    ]


@pytest.mark.slow
def test_all_images_can_be_asked_in_turn_and_the_number_stands_beside_the_accuracy(workspace, dataset, monkeypatch):
    monkeypatch.setattr(cross_validation, "FOLDS", 3)
    monkeypatch.setattr(cross_validation, "REPEATS", 1)
    run = ended_run(workspace, dataset, "Red or blue", config=replace(QUICK, epochs=2))
    at = open_page(PAGE)
    assert "Asks about all 32 images in turn" in texts(at)
    press(at, "Cross-validate")
    run_until(at, lambda at: "Cross-validated" in metrics(at) or at.error)
    found = kept_cross_validation(run)
    assert metrics(at)["Cross-validated"] == found.text
    assert "3 heads trained as this one" in texts(at)
    assert "Cross-validate" not in [button.label for button in at.button]
