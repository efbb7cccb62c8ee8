"""The images behind the figures, one of them opened, and *I don't know*; on a real small training."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.tl_core.small_trainings import COLOURS, Trainer, coloured
from tests.ui.pages_without_browser import checked, open_page, press, texts
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.data import import_uploads
from tl_core.evaluation.evaluate import evaluate_run
from tl_core.evaluation.ranking import least_certain, of_cell, worst_mistakes
from tl_core.inference.calibration import load_calibration
from tl_core.storage.workspace import Workspace
from ui.evaluate_page.closer_look import brightest_place
from ui.evaluate_page.evaluation import answer_rows
from ui.evaluate_page.images import cell_sentence
from ui.evaluate_page.rejection import effect_sentence, format_threshold

PAGE = "pages/4_Evaluate.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that tells red from blue, and some of whose images have the wrong label."""
    workspace = Workspace(tmp_path_factory.mktemp("workspace")).ensure()
    images = {
        name: [
            (f"{number}.png", coloured(COLOURS[other if number % 6 == 0 else name], 100 * place + number))
            for number in range(40)
        ]
        for place, (name, other) in enumerate([("blue", "red"), ("red", "blue")])
    }
    dataset = import_uploads(workspace, images, "Colours")
    return Trainer(workspace)(dataset, epochs=8).record, dataset


@pytest.fixture
def run(trained, monkeypatch):
    record, dataset = trained
    monkeypatch.setenv("TL_WORKSPACE", str(dataset.path.parent.parent))
    return record


@pytest.fixture
def result(run, trained):
    found = evaluate_run(run.path, trained[1].path, "test")
    assert len(worst_mistakes(found.probabilities, found.labels)), "the test needs a mistake to look at"
    return found


def cards(at):
    """The texts under the images."""
    return [text.value for text in at.markdown if text.value.startswith(":small[")]


def order(at, value):
    control = next(radio for radio in at.radio if radio.label == "Show")
    return checked(control.set_value(value).run())


def cell(at, true, said):
    at = order(at, "cell")
    for label, value in (("It really is", true), ("The model said", said)):
        control = next(box for box in at.selectbox if box.label == label)
        at = checked(control.set_value(value).run())
    return at


def look_closer(at):
    button = next(button for button in at.button if button.label == "Look closer")
    return checked(button.click().run())


def test_the_worst_mistakes_come_first_with_answer_and_truth(run, result):
    at = open_page(PAGE, run=run.id)
    worst = worst_mistakes(result.probabilities, result.labels)
    assert len(cards(at)) == min(12, len(worst))
    said, truth = result.probabilities[worst[0]].argmax(), result.labels[worst[0]]
    assert cards(at)[0].startswith(f":small[:red[:material/cancel:] **{run.classes[said]}**")
    assert cards(at)[0].endswith(f"really **{run.classes[truth]}**]")


def test_the_least_certain_are_all_images_a_page_at_a_time(run, result, monkeypatch):
    monkeypatch.setattr("ui.evaluate_page.images.PER_PAGE", 5)
    at = order(open_page(PAGE, run=run.id), "uncertain")
    shown = cards(at)
    for page in range(2, 2 + (len(result.labels) - 1) // 5):
        at.session_state[f"evaluate-{run.id}-test-uncertain-page"] = page
        shown += cards(checked(at.run()))
    first = least_certain(result.probabilities)[0]
    assert len(shown) == len(result.labels)
    assert f"{100 * result.probabilities[first].max():.1f} %" in shown[0]


def test_a_cell_shows_its_images_alone(run, result):
    at = open_page(PAGE, run=run.id)
    for true in range(2):
        for said in range(2):
            at = cell(at, true, said)
            rows = of_cell(result.probabilities, result.labels, true, said)
            assert len(cards(at)) == min(12, len(rows))
            assert cell_sentence(run.classes, true, said, len(rows)) in texts(at)


def opened(run):
    """What the dialog shows, as a page of its own: without a browser every click runs a whole page, without it."""

    def page(run_path, row):
        from pathlib import Path

        from tl_core.data import load_dataset
        from tl_core.evaluation.evaluate import evaluate_run
        from tl_core.runs import load_run
        from ui.evaluate_page.closer_look import one_image
        from ui.evaluate_page.images import measured_image

        run = load_run(Path(run_path))
        dataset = load_dataset(run.path.parents[1] / "datasets" / run.dataset_id)
        one_image(dataset, run, measured_image(dataset, evaluate_run(run.path, dataset.path, "test"), row))

    return checked(AppTest.from_function(page, args=(str(run.path), 0), default_timeout=60).run())


def test_all_answers_are_a_table_with_a_row_per_image(result):
    rows = list(answer_rows(result))
    assert len(rows) == len(result.labels)
    for row, probabilities, label in zip(rows, result.probabilities, result.labels, strict=True):
        name, truth, answer, right, loss, *given = row
        assert name.endswith(".png")
        assert truth == result.classes[label]
        assert right == ("yes" if truth == answer else "no")
        assert loss == pytest.approx(-np.log(probabilities[label]), abs=1e-4)
        assert sum(given) == pytest.approx(1, abs=1e-5)


def test_an_image_opens_from_the_page(run, result):
    at = look_closer(open_page(PAGE, run=run.id))
    assert "It is **" in texts(at)
    assert "Yellow areas pushed it towards" in texts(at)


def test_an_image_has_a_heat_map_for_any_class_and_block(run, result):
    at = opened(run)
    assert at.select_slider[0].value == at.select_slider[0].options[-1]
    for value, block in ((0, at.select_slider[0].options[0]), (1, at.select_slider[0].options[2])):
        at.selectbox[0].set_value(value)
        checked(at.select_slider[0].set_value(block).run())
        assert f"pushed it towards **{run.classes[value]}**" in texts(at)


def test_the_nearest_training_images_are_found_once_and_then_there(run, result):
    at = press(opened(run), "Find them")
    assert "the nearest by the backbone's features" in texts(at)
    assert len([caption for caption in at.caption if caption.value.endswith("similar")]) == 6
    again = opened(run)
    assert "Find them" not in [button.label for button in again.button]
    assert "the nearest by the backbone's features" in texts(again)


def test_measures_are_computed_when_they_are_opened(run, result):
    at = open_page(PAGE, run=run.id)
    assert "Balanced accuracy" not in [metric.label for metric in at.metric]
    at.session_state[f"evaluate-{run.id}-test-measures"] = True
    checked(at.run())
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["Balanced accuracy"] == f"{100 * result.balanced_accuracy:.1f} %"
    for curves, word in (
        ("ROC", "AUC"),
        ("Precision and recall", "average precision"),
        ("Calibration", "calibration"),
    ):
        control = next(radio for radio in at.radio if radio.label == "Curves")
        checked(control.set_value(curves).run())
        assert any(word in chart.proto.alt for chart in at.get("plotly_chart"))


def test_a_threshold_is_chosen_and_kept_for_this_model(run, result):
    at = open_page(PAGE, run=run.id)
    by = next(radio for radio in at.radio if radio.label == "Choose by")
    at = checked(by.set_value("The threshold").run())
    (threshold,) = [slider for slider in at.slider if slider.label == "Answer only above"]
    at = press(checked(threshold.set_value(60.0).run()), "Keep this for the model")
    kept = load_calibration(run.folder, run.model_sha256)
    assert kept.threshold == 0.6
    assert kept.temperature != 1
    assert format_threshold(kept, refuses=True) in texts(at)
    at = press(at, "Always answer")
    assert load_calibration(run.folder, run.model_sha256).threshold == 0
    assert "it always answers" in texts(at)


def test_an_accuracy_that_no_threshold_reaches_is_said(run, result):
    at = open_page(PAGE, run=run.id)
    (wanted,) = [slider for slider in at.slider if slider.label.startswith("How many of its answers")]
    at = checked(wanted.set_value(50.0).run())
    assert "It answers however unsure it is" in texts(at)


def test_a_run_in_progress_cannot_be_evaluated_yet(workspace):
    run = ended_run(workspace, colour_dataset(workspace), status="running")
    assert "come back when the training has ended" in texts(open_page(PAGE, run=run.id))


def test_the_place_of_the_heat_is_described():
    heat = np.zeros((7, 7))
    assert brightest_place(heat) == "nowhere"
    heat[0, 6] = 1
    assert brightest_place(heat) == "at the top right"
    assert brightest_place(heat[::-1]) == "at the bottom right"
    assert brightest_place(np.ones((7, 7))) == "in the middle"
    assert brightest_place(np.ones((1, 1))) in ("in the middle", "at the top left")


@pytest.mark.parametrize(
    ("true", "said", "images", "sentence"),
    [
        (0, 1, 3, "3 images of **cat** were taken for **dog**, the surest first."),
        (0, 1, 1, "1 image of **cat** was taken for **dog**."),
        (1, 1, 2, "2 images of **dog** were recognised, the surest first."),
        (1, 0, 0, "No image of **dog** was taken for **cat**."),
        (1, 1, 0, "No image of **dog** was recognised."),
    ],
)
def test_a_cell_as_text(true, said, images, sentence):
    assert cell_sentence(("cat", "dog"), true, said, images) == sentence


def test_the_effect_of_a_threshold_as_text():
    from tl_core.inference.calibration import RiskCoverage

    assert (
        effect_sentence(RiskCoverage(0.0, 1.0, 0.93), 100)
        == "It answers however unsure it is, and 93.0 % of its answers are right."
    )
    assert effect_sentence(RiskCoverage(0.99, 0.0, 1.0), 100) == "With a threshold of 99.0 % it never answers."
    assert "**87.0 %** of the images, and **98.0 %** of these" in effect_sentence(RiskCoverage(0.7, 0.87, 0.98), 100)


def test_an_empty_cell_shows_a_sentence_and_no_image(workspace):
    all_right = ended_run(workspace, colour_dataset(workspace))
    at = open_page(PAGE, run=all_right.id)
    assert cards(cell(at, 0, 0))
    at = cell(at, 0, 1)
    assert "No image of" in texts(at)
    assert not cards(at)
    assert not [button for button in at.button if button.label == "Look closer"]
