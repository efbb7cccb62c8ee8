"""The Predict page, driven without a browser, on a real model."""

from __future__ import annotations

import csv
import io

import pytest
from PIL import Image

from tests.ui.pages_without_browser import checked, open_page, press, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.config import TrainingConfig
from tl_core.data import delete_dataset
from tl_core.files import write_bytes
from tl_core.runs import create_run, update_run
from ui.prediction.answers import Answer
from ui.prediction.card import answer_in_words, milliseconds
from ui.prediction.pictures import Picture
from ui.prediction.table import answers_csv, answers_in_words
from ui.prediction.thumbnail import small_copy

PAGE = "pages/5_Predict.py"
RED, BLUE = (coloured(colour, 7) for colour in COLOURS.values())


@pytest.fixture
def dataset(workspace):
    return colour_dataset(workspace)


@pytest.fixture
def run(workspace, dataset):
    return ended_run(workspace, dataset, "Red or blue")


def answer(name, ranked=(), error=None, truth=None):
    return Answer(Picture(name, name, b"", truth), tuple(ranked), 0.012, error)


def bars(at):
    return [chart.proto.alt for chart in at.get("plotly_chart")]


def upload(at, *files):
    for name, data in files:
        at.file_uploader[0].upload(name, data)
    return checked(at.run())


def test_without_a_model_it_says_what_to_do(workspace, dataset):
    at = open_page(PAGE)
    assert "no trained model yet" in at.info[0].value
    assert not at.file_uploader


def test_it_says_which_model_answers_and_what_it_knows(run):
    shown = texts(open_page(PAGE))
    assert "model of epoch 5 (feature extraction), right for 90.0 % of its validation images" in shown
    assert "It knows 2 classes and always answers one of them: blue, red." in shown


def test_a_picture_gets_its_class_with_bars_and_the_time_taken(run):
    at = upload(open_page(PAGE), ("photo.png", RED))
    assert "Almost certainly **red**" in texts(at)
    assert len(bars(at)) == 1
    assert bars(at)[0] == "Probabilities: red > 99.9 %, blue < 0.1 %."
    assert "photo\\.png · " in texts(at)
    assert not at.dataframe


def test_many_pictures_get_a_table_and_a_bad_one_gets_its_sentence(run):
    at = upload(open_page(PAGE), ("a.png", RED), ("broken.jpg", b"this is text"), ("b.png", BLUE))
    assert len(bars(at)) == 2
    assert "broken" in at.warning[0].value
    assert "not an image" in at.warning[0].value
    rows = at.dataframe[0].value
    assert rows["answer"].tolist() == ["red", "no answer", "blue"]
    assert rows["probability"].isna().tolist() == [False, True, False]
    assert "3 pictures: 1 × **red**, 1 × **blue**, 1 cannot be used." in texts(at)


def test_more_pictures_than_fit_on_a_page_are_paged(run):
    at = upload(open_page(PAGE), *((f"{number}.png", coloured(COLOURS["red"], number)) for number in range(14)))
    assert len(bars(at)) == 12
    assert len(at.dataframe[0].value) == 14


def test_a_test_image_is_one_click_away_and_its_truth_is_told(run):
    at = press(open_page(PAGE), "Try with a test image")
    assert "Right: the dataset says **" in texts(at)
    press(at, "Remove it")
    assert not bars(at)


def test_without_the_dataset_pictures_of_ones_own_still_work(dataset, run):
    delete_dataset(dataset)
    at = open_page(PAGE)
    assert "Try with a test image" not in [button.label for button in at.button]
    assert "**blue**" in texts(upload(at, ("b.png", BLUE)))


def test_the_camera_is_asked_for_only_when_it_is_wanted(run):
    at = open_page(PAGE)
    assert not at.camera_input
    at.session_state["predict-camera"] = True
    checked(at.run())
    at.camera_input[0].upload("photo.jpg", BLUE)
    assert "**blue**" in texts(checked(at.run()))


def test_the_best_of_the_last_runs_on_the_newest_dataset_answers(workspace, dataset):
    ended_run(workspace, colour_dataset(workspace), "Other images", accuracy=0.99)
    best = ended_run(workspace, dataset, "Best", accuracy=0.95)
    ended_run(workspace, dataset, "Newest", accuracy=0.9)
    assert open_page(PAGE).selectbox[0].value == best.id


def test_a_run_in_progress_answers_with_the_epoch_it_has(workspace, dataset, run):
    active = create_run(workspace, TrainingConfig(), dataset, "Going on")
    write_bytes(active.folder.model_file, run.folder.model_file.read_bytes())
    update_run(active.path, status="running", best=run.best)
    at = upload(open_page(PAGE, run=active.id), ("photo.png", RED))
    assert "still goes on" in texts(at)
    assert "**red**" in texts(at)


def test_a_damaged_model_is_a_sentence(run):
    run.folder.model_file.write_bytes(b"no model")
    at = upload(open_page(PAGE), ("photo.png", RED))
    assert "damaged" in at.error[0].value


def test_class_names_are_shown_as_they_are():
    assert answer_in_words(answer("a", [("<b>*cat*", 0.95)])) == "Almost certainly **\\<b\\>\\*cat\\***"


@pytest.mark.parametrize(
    ("probability", "words"), [(0.9, "Almost"), (0.7, "Probably"), (0.5, "Perhaps"), (0.2, "Not")]
)
def test_sureness_in_words(probability, words):
    assert answer_in_words(answer("a", [("cat", probability)])).startswith(words)


def test_the_download_has_every_probability_and_every_error():
    answers = [
        answer("a.png", [("dog", 0.75), ("cat", 0.25)], truth="cat"),
        answer("b.png", error="This is not an image."),
    ]
    rows = list(csv.DictReader(io.StringIO(answers_csv(answers, ("cat", "dog")).decode("utf-8-sig"))))
    assert [rows[0][name] for name in ("picture", "answer", "truth", "p(cat)", "p(dog)")] == [
        "a.png",
        "dog",
        "cat",
        "0.250000",
        "0.750000",
    ]
    assert rows[1]["error"] == "This is not an image."
    assert rows[1]["answer"] == rows[1]["p(cat)"] == ""


def test_rare_classes_are_counted_together():
    answers = [answer(str(number), [(f"class {number}", 1.0)]) for number in range(8)]
    assert "3 × other classes" in answers_in_words(answers)


def test_time_in_words():
    assert (milliseconds(0.0124), milliseconds(1.44)) == ("12 ms", "1.4 s")


def test_small_pictures_are_enlarged_and_large_ones_shrunk():
    assert Image.open(io.BytesIO(small_copy(RED))).size == (96, 96)
    large = io.BytesIO()
    Image.new("RGB", (2000, 1000), "white").save(large, "JPEG")
    assert Image.open(io.BytesIO(small_copy(large.getvalue()))).size == (480, 240)
