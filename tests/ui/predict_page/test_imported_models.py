"""The Predict page with an imported model, driven without a browser, on a real process."""

from __future__ import annotations

import io
import zipfile

import keras
import pytest

from tests.hostile.model_weights import external_link, weights
from tests.hostile.models import CLASSES, exported, good_model, lambda_of_keras, manifest
from tests.tl_core.imported_models import small_child
from tests.ui.pages_without_browser import checked, open_page, press, run_until, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.imported_models import model_server
from tl_core.imported_models.importing import import_model
from tl_core.imported_models.model_server import close_imported_model
from tl_core.imported_models.store import list_imported_models

PAGE = "pages/5_Predict.py"
RED, BLUE = (coloured(colour, 7) for colour in COLOURS.values())


@pytest.fixture(autouse=True)
def closed_afterwards():
    yield
    close_imported_model()


@pytest.fixture
def answers_at_once(monkeypatch):
    """Whatever is brought is answered for by a process that starts in no time and always says the second class."""
    monkeypatch.setattr(model_server, "PROGRAM", "tests.tl_core.imported_models.small_child")
    assert small_child.ANSWERS == 0


def from_a_file(**parameters):
    return open_page(PAGE, **{"model": "any", **parameters})


def bring(at, name, data, names=None):
    (uploader,) = [part for part in at.file_uploader if part.key.startswith("predict-brought-file")]
    uploader.upload(name, data)
    checked(at.run())
    if names is not None:
        at.text_area[0].set_value("\n".join(names))
    return at


def ask_about(at, *pictures):
    (uploader,) = [part for part in at.file_uploader if part.key.startswith("predict-files")]
    for name, data in pictures:
        uploader.upload(name, data)
    return checked(at.run())


def open_it(at):
    press(at, "Open this model")
    return run_until(at, lambda at: not at.get("progress") or at.error)


@pytest.mark.slow
def test_an_exported_zip_is_opened_predicts_is_listed_and_deleted(workspace):
    at = from_a_file()
    bring(at, "colours.zip", exported(manifest_json=MANIFEST))
    assert not at.text_area, "it says itself what its classes are called"
    open_it(at)
    (model,) = list_imported_models(workspace)
    assert at.query_params["model"] == model.id
    shown = texts(at)
    assert "My colours" in shown
    assert "from a file" in shown
    assert "It knows 2 classes and answers “I don't know” below 60 %, else one of them: blue, red." in shown
    assert "32 × 32 pixels" in shown
    ask_about(at, ("photo.png", RED), ("b.png", BLUE))
    assert at.dataframe[0].value["answer"].tolist() == ["red", "blue"]
    assert "Where did it look?" not in [toggle.label for toggle in at.toggle]
    again = open_page(PAGE, model=model.id)
    assert "My colours" in texts(again), "a reload keeps it"
    press(again, "Remove this model")
    assert list_imported_models(workspace) == []
    assert not model_server.is_open(model)
    assert "My colours" not in texts(checked(again.run()))


MANIFEST = b'{"name": "My colours", "classes": ["blue", "red"], "threshold": 0.6, "temperature": 1.5}'


def test_a_bare_file_needs_its_class_names_and_never_guesses(workspace, answers_at_once):
    at = bring(from_a_file(), "colours.keras", good_model())
    assert at.text_area[0].label == "What are its 2 classes called?"
    press(at, "Open this model")
    assert "tells 2 classes apart, and 0 names were given" in at.error[0].value
    at.text_area[0].set_value("blue\n\nred\n")
    open_it(at)
    (model,) = list_imported_models(workspace)
    assert model.classes == CLASSES
    assert "The file did not say how sure the model has to be" in texts(at)
    ask_about(at, ("photo.png", RED))
    assert "Almost certainly **red**" in texts(at)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [("a.keras", lambda_of_keras(), "which no model trained"), ("b.zip", b"no zip at all", "not a Keras model")],
    ids=["hostile", "no zip"],
)
def test_a_bad_file_is_a_sentence_before_anything_is_kept(workspace, name, data, says):
    at = bring(from_a_file(), name, data)
    assert says in at.error[0].value
    assert "Open this model" not in [button.label for button in at.button]
    assert list(workspace.models.iterdir()) == []


def test_what_the_process_refuses_is_a_sentence_and_is_not_kept(workspace):
    at = bring(from_a_file(), "bad.zip", exported(model=weights(external_link)))
    press(at, "Open this model")
    run_until(at, lambda at: at.error)
    assert "could read others of this machine" in at.error[0].value
    assert list_imported_models(workspace) == []
    assert "no longer here" not in texts(at)


def test_opening_can_be_cancelled_and_begun_again(workspace, monkeypatch):
    monkeypatch.setattr(model_server, "PROGRAM", "tests.tl_core.imported_models.silent_child")
    at = bring(from_a_file(), "colours.zip", exported())
    press(at, "Open this model")
    press(at, "Cancel")
    run_until(at, lambda at: any("was cancelled" in info.value for info in at.info))
    monkeypatch.setattr(model_server, "PROGRAM", "tests.tl_core.imported_models.small_child")
    press(at, "Open it again")
    run_until(at, lambda at: not at.get("progress") and not at.info)
    ask_about(at, ("photo.png", RED))
    assert "**red**" in texts(at)


def test_a_process_that_dies_over_a_picture_is_a_sentence_and_the_page_lives(workspace, answers_at_once):
    model = import_model(workspace, io.BytesIO(exported()), "colours.zip")
    at = ask_about(open_page(PAGE, model=model.id), ("photo.png", coloured((small_child.DIES,) * 3, 1)))
    run_until(at, lambda at: not at.get("progress"))
    assert "**red**" in texts(at) or "was closed" in texts(at)
    at = ask_about(open_page(PAGE, model=model.id), ("photo.png", RED))
    run_until(at, lambda at: not at.get("progress"))
    assert "**red**" in texts(at)


def test_a_zip_of_pictures_is_recognised_too(workspace, answers_at_once):
    from tests.hostile.archives import zip_of

    model = import_model(workspace, io.BytesIO(manifest()), "colours.zip")
    at = open_page(PAGE, model=model.id)
    at.session_state["predict-way"] = "zip"
    checked(at.run())
    (uploader,) = [part for part in at.file_uploader if part.key == "predict-zip-file"]
    uploader.upload("many.zip", zip_of([("a.png", RED), ("b.png", BLUE)]))
    checked(at.run())
    press(at, "Recognise all pictures")
    run_until(at, lambda at: at.get("download_button"))
    assert "2 files: 2 × **red**." in texts(at)


def test_where_there_are_runs_they_come_first_and_a_file_is_one_click_away(workspace):
    ended_run(workspace, colour_dataset(workspace), "Red or blue")
    import_model(workspace, io.BytesIO(exported()), "colours.zip")
    at = open_page(PAGE)
    assert at.selectbox(key="frame-model")
    (switch,) = [group for group in at.get("button_group") if group.key == "predict-kind"]
    checked(switch.set_value("From a file").run())
    assert "from a file" in texts(at)
    assert not [box for box in at.selectbox if box.key == "predict-with"]


def test_where_there_are_files_alone_they_answer(workspace):
    import_model(workspace, io.BytesIO(exported()), "colours.zip")
    import_model(workspace, io.BytesIO(manifest(name="Others", threshold=0.5)), "others.zip")
    at = open_page(PAGE)
    assert at.selectbox(key="predict-brought-which").options == ["Others", "colours"]


def test_a_link_to_a_model_that_is_gone_says_so(workspace):
    at = open_page(PAGE, model="colours-" + "0" * 32)
    assert "no longer here" in at.error[0].value


def test_the_range_of_the_colours_is_asked_with_what_each_makes_of_the_picture(workspace, answers_at_once, tmp_path):
    parts = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    keras.Sequential(parts).save(tmp_path / "plain.keras")
    at = bring(from_a_file(), "plain.keras", (tmp_path / "plain.keras").read_bytes(), CLASSES)
    open_it(at)
    ask_about(at, ("photo.png", RED))
    shown = texts(at)
    assert "Which of these answers is right?" in shown
    for label in ("0 to 1", "-1 to 1", "0 to 255"):
        assert f"**{label}**" in shown
    assert "Almost certainly" not in shown, "nothing is answered before it is known"
    checked(at.button(key="predict-scale-zero_to_one").click().run())
    (model,) = list_imported_models(workspace)
    assert model.scaling == "zero_to_one"
    assert "Almost certainly **red**" in texts(at)
    assert "scaled to 0 to 1, as you chose" in texts(at)
    press(at, "Ask again")
    assert "Which of these answers is right?" in texts(at)


def test_a_zip_is_answered_once_the_range_of_the_colours_is_known(workspace, answers_at_once, tmp_path):
    parts = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    keras.Sequential(parts).save(tmp_path / "plain.keras")
    at = bring(from_a_file(), "plain.keras", (tmp_path / "plain.keras").read_bytes(), CLASSES)
    open_it(at)
    (way,) = [group for group in at.get("button_group") if group.key == "predict-way"]
    checked(way.set_value("zip").run())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("words.txt", "no picture")
        archive.writestr("red.png", RED)
    (uploader,) = [part for part in at.file_uploader if part.key == "predict-zip-file"]
    uploader.upload("photos.zip", packed.getvalue())
    checked(at.run())
    assert "Which of these answers is right?" in texts(at)
    assert "Recognise all pictures" not in [button.label for button in at.button]
    checked(at.button(key="predict-zip-scale-zero_to_one").click().run())
    press(at, "Recognise all pictures")
    run_until(at, lambda at: at.dataframe or at.error)
    assert at.dataframe[0].value["answer"].tolist() == ["red"]
