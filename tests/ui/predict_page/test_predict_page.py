"""The Predict page, driven without a browser, on a real model."""

from __future__ import annotations

import csv
import io
import json
import threading
import zipfile
from dataclasses import replace

import pytest
from PIL import Image

from tests.tl_core.small_trainings import QUICK
from tests.ui.pages_without_browser import checked, open_page, press, run_until, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.config import TrainingConfig
from tl_core.data import delete_dataset
from tl_core.errors import StoppedError
from tl_core.inference.calibration import Calibration, save_calibration
from tl_core.inference.predict import Answer
from tl_core.runs import create_run, update_run
from tl_core.storage.files import write_bytes
from ui.components.pictures import Picture
from ui.components.prediction.card import format_answer, milliseconds
from ui.components.run_format import run_labels
from ui.components.thumbnail import small_copy
from ui.predict_page.archive import archive_csv
from ui.predict_page.table import answers_csv, format_answers

PAGE = "pages/5_Predict.py"
RED, BLUE = (coloured(colour, 7) for colour in COLOURS.values())


@pytest.fixture
def dataset(workspace):
    return colour_dataset(workspace)


@pytest.fixture
def run(workspace, dataset):
    return ended_run(workspace, dataset, "Red or blue")


def answer(ranked=(), error=None):
    return Answer(tuple(ranked), 0.012, error)


def component(at, name):
    """What a component of our own was given to draw."""
    (found,) = [part.proto for part in at.get("bidi_component") if part.proto.component_name.endswith(name)]
    return json.loads(found.json)


def grid(at):
    return component(at, "answer_grid")["tiles"]


def bars(at):
    return [chart.proto.alt for chart in at.get("plotly_chart")]


def upload(at, *files):
    for name, data in files:
        at.file_uploader[0].upload(name, data)
    return checked(at.run())


def test_without_a_model_it_says_what_to_do(workspace, dataset):
    at = open_page(PAGE)
    assert "There is no model yet" in texts(at)
    assert "Train a model" in [button.label for button in at.button]
    assert not at.file_uploader


def test_it_names_the_model_and_its_classes(run):
    shown = texts(open_page(PAGE))
    assert "model of epoch 5 (feature extraction), right for 90.0 % of its validation images" in shown
    assert "It knows 2 classes: blue, red. It refuses what is unlike its images." in shown


def test_a_picture_gets_its_class_with_bars_and_the_time_taken(run):
    at = upload(open_page(PAGE), ("photo.png", RED))
    assert "Almost certainly **red**" in texts(at)
    assert len(bars(at)) == 1
    assert bars(at)[0] == "Probabilities: red > 99.9 %, blue < 0.1 %."
    assert "photo\\.png · " in texts(at)
    assert not at.dataframe


def test_many_pictures_get_a_grid_and_a_table_and_a_bad_one_gets_its_sentence(run):
    at = upload(open_page(PAGE), ("a.png", RED), ("broken.jpg", b"this is text"), ("b.png", BLUE))
    assert len(bars(at)) == 1, "the one that is opened"
    assert [tile["answer"] for tile in grid(at)] == ["red", "blue"]
    assert "broken" in at.warning[0].value
    assert "not an image" in at.warning[0].value
    rows = at.dataframe[0].value
    assert rows["answer"].tolist() == ["red", "no answer", "blue"]
    assert rows["probability"].isna().tolist() == [False, True, False]
    assert "3 pictures: 1 × **red**, 1 × **blue**, 1 cannot be used." in texts(at)


def test_more_pictures_than_fit_on_a_page_are_paged(run):
    at = upload(open_page(PAGE), *((f"{number}.png", coloured(COLOURS["red"], number)) for number in range(26)))
    assert len(grid(at)) == 24
    assert len(at.dataframe[0].value) == 26


def test_a_test_image_is_one_click_away_and_its_truth_is_told(run):
    at = press(open_page(PAGE), "Try with a test image")
    assert "Right: the dataset says **" in texts(at)
    press(at, "Clear")
    assert not bars(at)


def test_without_the_dataset_pictures_of_ones_own_still_work(dataset, run):
    delete_dataset(dataset.workspace, dataset.id)
    at = open_page(PAGE)
    assert "Try with a test image" not in [button.label for button in at.button]
    assert "**blue**" in texts(upload(at, ("b.png", BLUE)))


def test_the_camera_is_requested_only_when_it_is_opened(run):
    at = open_page(PAGE)
    assert not at.camera_input
    at.session_state["predict-way"] = "camera"
    checked(at.run())
    at.camera_input[0].upload("photo.jpg", BLUE)
    assert "**blue**" in texts(checked(at.run()))


def test_photos_that_were_shown_stay_for_another_model(workspace, dataset, run):
    at = upload(open_page(PAGE, run=run.id), ("photo.png", RED))
    other = ended_run(workspace, dataset, "Another")
    checked(at.run())
    checked(at.selectbox(key="frame-model").set_value(other.id).run())
    assert "Almost certainly **red**" in texts(at)


def test_runs_of_one_name_made_in_the_same_minute_can_be_told_apart(workspace, dataset):
    runs = [ended_run(workspace, dataset, "Twin") for _ in range(3)]
    labels = run_labels(runs)
    assert len(set(labels.values())) == 3
    for wanted in runs:
        at = open_page(PAGE, run=wanted.id)
        checked(at.run())
        assert at.selectbox(key="frame-model").value == wanted.id
        assert at.query_params["run"] == wanted.id
    assert run_labels([*runs, ended_run(workspace, dataset, "Twin")]).items() >= labels.items(), "labels stay"


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


def test_below_the_threshold_the_answer_is_i_dont_know_with_the_best_guess(run):
    save_calibration(run.workspace, run, Calibration(model_sha256=run.model_sha256, temperature=20, threshold=0.9))
    at = upload(open_page(PAGE), ("photo.png", RED), ("b.png", BLUE))
    shown = texts(at)
    assert "### I don't know" in shown
    assert "Its best guess is **red**, " in shown
    assert "it answers only above 90 %." in shown
    assert "answers “I don't know” below 90 %, else one of them" in shown
    assert "2 pictures: 2 × “I don't know”." in shown
    assert at.dataframe[0].value["answer"].tolist() == ["I don't know (red?)", "I don't know (blue?)"]
    assert at.dataframe[0].value["probability"].isna().all(), "that of a guess is not that of an answer"


def test_a_choice_made_meanwhile_is_applied_at_once(run):
    at = upload(open_page(PAGE), ("photo.png", RED))
    assert "I don't know" not in texts(at)
    save_calibration(run.workspace, run, Calibration(model_sha256=run.model_sha256, temperature=20, threshold=0.9))
    assert "### I don't know" in texts(checked(at.run()))


def test_two_models_answer_side_by_side(workspace, dataset, run):
    other = ended_run(workspace, dataset, "Calm", accuracy=0.5)
    save_calibration(workspace, other, Calibration(model_sha256=other.model_sha256, temperature=20, threshold=0.9))
    at = open_page(PAGE, run=run.id)
    checked(at.selectbox(key="predict-with").set_value(other.id).run())
    assert at.query_params["with"] == other.id
    upload(at, ("photo.png", RED))
    shown = texts(at)
    assert "Almost certainly **red**" in shown
    assert "### I don't know" in shown
    assert "The two models say different things." in shown
    assert len(bars(at)) == 2
    upload(at, ("photo.png", RED), ("b.png", BLUE))
    assert "Both models say the same about **0** of 2 pictures." in texts(at)
    assert at.dataframe[0].value["second"].tolist() == ["I don't know (red?)", "I don't know (blue?)"]


def test_with_one_model_there_is_nothing_to_compare_with(run):
    assert "Compare with" not in [box.label for box in open_page(PAGE).selectbox]


@pytest.mark.slow
def test_the_heatmap_is_shown_on_demand(workspace, dataset):
    from tl_core.training import train

    run = create_run(workspace, replace(QUICK, epochs=3), dataset, "Real")
    train(run.config, dataset.path, run.path, lambda: False)
    at = upload(open_page(PAGE), ("photo.png", RED))
    (switch,) = at.toggle
    assert switch.label == "Where did it look?"
    assert component(at, "picture_view")["heat"] is None
    checked(switch.set_value(True).run())
    assert component(at, "picture_view")["heat"].startswith("data:image/png")
    assert "pushed it towards" in texts(at)


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def recognise(at, files):
    at.session_state["predict-way"] = "zip"
    checked(at.run())
    (uploader,) = at.file_uploader
    uploader.upload("many.zip", files)
    checked(at.run())
    return press(at, "Recognise all pictures")


def test_a_whole_zip_becomes_a_table(run):
    at = open_page(PAGE)
    files = {f"{number}.png": coloured(COLOURS["red"], number) for number in range(5)}
    recognise(at, zipped({**files, "b.png": BLUE, "notes.txt": b"text"}))
    run_until(at, lambda at: at.get("download_button"))
    assert "7 files: 5 × **red**, 1 × **blue**, 1 could not be used." in texts(at)
    table, unreadable = at.dataframe
    assert table.value["answer"].tolist().count("red") == 5
    assert unreadable.value["file"].tolist() == ["notes.txt"]
    assert "image" in unreadable.value["reason"][0]
    again = open_page(PAGE, zip=at.query_params["zip"])
    assert "7 files" in texts(again), "a reloaded page finds it again"


def test_a_broken_zip_is_a_sentence(run):
    at = recognise(open_page(PAGE), b"no zip at all")
    run_until(at, lambda at: at.error)
    assert "not a zip file" in at.error[0].value


def test_a_zip_can_be_cancelled(run, monkeypatch):
    reached, asked = threading.Event(), threading.Event()

    def wait(answerer, archive, task, limits):
        task.report(1, 3)
        reached.set()
        while not task.should_stop():
            asked.wait(0.01)
        raise StoppedError("Stopped.")

    monkeypatch.setattr("tl_core.inference.predict.predict_archive", wait)
    at = recognise(open_page(PAGE), zipped({"a.png": RED}))
    assert reached.wait(20)
    checked(at.run())
    assert at.progress[0].text == "1 of 3 files"
    press(at, "Cancel")
    run_until(at, lambda at: any("was cancelled" in info.value for info in at.info))


def test_the_table_of_a_zip_has_the_three_likeliest_classes():
    top = (("=dog", 0.6), ("cat", 0.3), ("owl", 0.1))
    answers = [
        Answer(top, 0.1, name="a.png"),
        Answer(top[:2], 0.1, threshold=0.7, name="b.png"),
        Answer((), 0.0, "This is not an image.", name="c.txt"),
    ]
    rows = list(csv.DictReader(io.StringIO(archive_csv(answers).decode("utf-8-sig"))))
    assert [rows[0][name] for name in ("file", "answer", "class_1", "probability_1", "class_3")] == [
        "a.png",
        "'=dog",
        "'=dog",
        "0.600000",
        "owl",
    ]
    assert [row["reason"] for row in rows] == ["", "unsure", "unusable"]
    assert (rows[1]["answer"], rows[1]["class_3"]) == ("I don't know", "")
    assert (rows[2]["answer"], rows[2]["error"]) == ("", "This is not an image.")


def test_class_names_are_shown_as_they_are():
    assert format_answer(answer([("<b>*cat*", 0.95)])) == "Almost certainly **\\<b\\>\\*cat\\***"


@pytest.mark.parametrize(
    ("probability", "words"), [(0.9, "Almost"), (0.7, "Probably"), (0.5, "Perhaps"), (0.2, "Not")]
)
def test_a_probability_as_a_phrase(probability, words):
    assert format_answer(answer([("cat", probability)])).startswith(words)


def test_the_download_has_every_probability_and_every_error():
    pictures = [Picture("1", "a.png", b"", "cat"), Picture("2", "b.png", b"")]
    answers = [answer([("dog", 0.75), ("cat", 0.25)]), answer(error="This is not an image.")]
    rows = list(csv.DictReader(io.StringIO(answers_csv(pictures, answers, ("cat", "dog")).decode("utf-8-sig"))))
    assert [rows[0][name] for name in ("picture", "answer", "truth", "p(cat)", "p(dog)")] == [
        "a.png",
        "dog",
        "cat",
        "0.250000",
        "0.750000",
    ]
    assert rows[1]["error"] == "This is not an image."
    assert rows[1]["answer"] == rows[1]["p(cat)"] == ""
    assert [row["reason"] for row in rows] == ["", "unusable"]


def test_rare_classes_are_counted_together():
    answers = [answer([(f"class {number}", 1.0)]) for number in range(8)]
    assert "3 × other classes" in format_answers(answers)


def test_a_time_as_text():
    assert (milliseconds(0.0124), milliseconds(1.44)) == ("12 ms", "1.4 s")


def test_small_pictures_are_enlarged_and_large_ones_shrunk():
    assert Image.open(io.BytesIO(small_copy(RED))).size == (96, 96)
    large = io.BytesIO()
    Image.new("RGB", (2000, 1000), "white").save(large, "JPEG")
    assert Image.open(io.BytesIO(small_copy(large.getvalue()))).size == (480, 240)
