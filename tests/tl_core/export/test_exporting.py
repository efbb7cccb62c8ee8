"""Every format made from a real run, proven, and used by its own program in a process that has nothing of ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.tl_core.export.browser.opened_page import opened
from tests.tl_core.small_trainings import COLOURS, QUICK, Trainer, png, write_film
from tl_core.command_line import main
from tl_core.config.validation import from_mapping
from tl_core.data import decoding, import_uploads, read_image, resize_image
from tl_core.errors import DatasetNotFoundError, ExportError, ModelUnavailableError, StoppedError
from tl_core.export import exporting
from tl_core.export.exporting import export_run, list_exports, model_card
from tl_core.export.formats import FORMATS, missing_packages
from tl_core.export.picture_kinds import KINDS
from tl_core.export.proof import LARGEST_DIFFERENCE, LARGEST_LOSS, Proof
from tl_core.inference.calibration import ACCEPTED, Calibration, apply_temperature, load_calibration, save_calibration
from tl_core.inference.novelty_learning import novelty_of
from tl_core.inference.predictor import open_predictor
from tl_core.machine.progress import TaskContext
from tl_core.runs import create_run, load_run, update_run

SENDS = """new Promise((forbidden) => {
    document.addEventListener("securitypolicyviolation", (event) => forbidden(event.effectiveDirective))
    fetch("https://localhost/").catch(() => null)
})"""
REMEMBER_HEADLINES = """(() => {
    const headline = document.getElementById("headline")
    window.headlines = []
    new MutationObserver(() => window.headlines.push(headline.textContent)).observe(headline, { childList: true })
})()"""
READ_BY_BROWSERS = {  # what decodes them is not the dashboard's own code; how far a probability may be off
    "photograph.jpg": 0.01,
    "turned.jpg": 0.01,
    "profile.jpg": 0.02,
    "large.png": 0.01,
    "white-on-nothing.png": 1e-3,
    "still.webp": 1e-3,
}


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run.record


@pytest.fixture
def export_by_command(workspace, monkeypatch, capsys):
    """``export`` with ``--json`` -> exit code, the JSON (empty if it failed), the progress texts."""
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))

    def call(run, name, folder):
        code = main(["export", run.id, "--format", name, "--output", str(folder), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else {}, err

    return call


def unpacked(path, folder):
    with zipfile.ZipFile(path) as packed:
        packed.extractall(folder)
    return folder


def pictures_of(dataset):
    return [dataset.path_of(image) for image in dataset.of_split("test")]


def asked(run, dataset):
    """The dashboard's predictions for the test images."""
    images = np.stack([resize_image(read_image(path), 32) for path in pictures_of(dataset)])
    return open_predictor(run.path).predict(images)


def told(folder, *pictures):
    """What the program of an export prints; it runs away from this repository."""
    words = [sys.executable, "-P", "predict.py", *(str(picture) for picture in pictures)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [re.search(r": (.+) \((\d+\.\d)%\)$", line).groups() for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_photographs_that_are_stored_as_jpeg_are_held_against_the_same_pixels(workspace):
    rng = np.random.default_rng(1)
    images = {
        name: [
            (f"{number}.png", png(np.clip(np.array(COLOURS[name]) + rng.normal(0, 60, (300, 300, 3)), 0, 255)))
            for number in range(6)
        ]
        for name in ("blue", "red")
    }
    photographs = import_uploads(workspace, images, "Photographs")
    assert {photographs.path_of(image).suffix for image in photographs.images} == {".jpg"}
    trained = Trainer(workspace)(photographs, epochs=1)
    assert export_run(trained.record.path, "keras").proof.max_difference < 1e-5


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "keras" else pytest.mark.slow) for name in FORMATS]
)
def test_a_format_predicts_what_the_dashboard_predicts(
    run, dataset, tmp_path, export_by_command, tensorflow_js, name
):
    form = FORMATS[name]
    assert missing_packages(form) == (), "requirements-dev.txt has what every format needs"
    code, values, told_meanwhile = export_by_command(run, name, tmp_path / "new")
    assert code == 0
    assert "Loading the file afresh" in told_meanwhile
    export = list_exports(load_run(run.path))[name]
    assert export.proof == from_mapping(Proof, values["proof"])
    assert export.proof.passed
    assert export.proof.images == len(dataset.of_split("validation"))
    assert export.proof.kinds == len(KINDS), "and one picture of each kind of file"
    if form.quantised:
        assert export.proof.app_accuracy - export.proof.accuracy <= LARGEST_LOSS
    else:
        assert 0 <= export.proof.max_difference <= LARGEST_DIFFERENCE

    known = novelty_of(run.path)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    _, seen = open_predictor(run.path).look(open_predictor(run.path).reading.of_pixels(noise)[None])
    refused = known.measure(seen)[0][0] > known.limit(ACCEPTED)
    tells = export.proof.refuses_noise is not None
    assert tells or form.may_answer_all
    assert export.proof.refuses_noise in (refused, None)

    folder = unpacked(values["file"], tmp_path / "unpacked")
    assert (folder / "known.npz").is_file() is tells
    assert ("Unlike anything" in (folder / "predict.py").read_text()) is tells
    assert (folder / form.model).exists()
    assert (folder / "pictures.py").read_text() == Path(decoding.__file__).read_text()
    assert (folder / "labels.txt").read_text().splitlines() == list(run.classes)
    card = (folder / "MODEL_CARD.md").read_text()
    assert f"{export.proof.max_difference:.2g}" in card
    assert "(curves.svg)" in card
    assert (folder / "curves.svg").read_text().count("<polyline") == 4
    assert bool(form.page) == (folder / "index.html").is_file() == ("by a double click" in card)
    answers = told(folder, *pictures_of(dataset))
    assert [answer for answer, _ in answers] == [run.classes[place] for place in asked(run, dataset).argmax(axis=1)]


def test_the_card_tells_where_the_model_comes_from(run, dataset):
    proof = Proof(images=32, max_difference=2e-5, accuracy=0.75, app_accuracy=0.75)
    text = model_card(run, dataset, FORMATS["tflite"], proof, load_calibration(run.folder, run.model_sha256), 32)
    for words in ("## Proof", "## Data", "## Results", "### Epochs", "## Settings", "## Limits", "learning_rate"):
        assert words in text
    assert all(f"| {name} |" in text for name in run.classes)
    assert dataset.fingerprint[:16] in text
    assert "| **all** | 30 | 6 | 6 |" in text
    assert "It always names one of its classes" in text


@pytest.mark.slow
def test_temperature_and_threshold_are_in_the_program(run, dataset, tmp_path):
    before = list_exports(run)
    save_calibration(run.workspace, run, Calibration(model_sha256=run.model_sha256, temperature=8.0, threshold=0.99))
    try:
        assert list_exports(run) == {}, "what was made before answers in another way"
        export = export_run(run.path, "keras")
    finally:
        run.folder.calibration_file.unlink()
    assert before.keys() - {"keras"} == list_exports(run).keys()
    assert export.proof.passed
    answers = told(unpacked(export.path, tmp_path), *pictures_of(dataset))
    assert {answer for answer, _ in answers} == {"I don't know"}
    calm = apply_temperature(asked(run, dataset), 8.0).max(axis=1)
    assert [float(share) for _, share in answers] == pytest.approx(100 * calm, abs=0.06)


@pytest.mark.slow
def test_a_sigmoid_gives_both_classes_and_onnx_knows_gelu(two_classes, workspace):
    head = replace(QUICK.head, output="sigmoid", dense_units=(8,), activation="gelu")
    run = Trainer(workspace)(two_classes, head=head, epochs=2).record
    export = export_run(run.path, "onnx")
    assert export.proof.passed
    program = zipfile.ZipFile(export.path).read("predict.py").decode()
    assert "1 - probabilities[0]" in program


@pytest.mark.slow
def test_a_damaged_export_is_refused_with_the_reason(run, tmp_path, monkeypatch, export_by_command):
    def build_another(run, form, target, task):
        model = keras.models.load_model(run.folder.model_file, compile=False)
        kernel, bias = model.layers[-1].layers[-1].get_weights()
        model.layers[-1].layers[-1].set_weights([-kernel, bias])
        model.save(target)

    path = run.path / "exports" / "keras.zip"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"the good one of before")
    monkeypatch.setattr(exporting, "build_file", build_another)
    code, _, told_meanwhile = export_by_command(run, "keras", tmp_path)
    assert code == 2
    proof = list_exports(run)["keras"].proof
    assert "differ from those of the dashboard" in proof.failure
    assert proof.failure in told_meanwhile
    assert proof.max_difference > LARGEST_DIFFERENCE
    assert not path.exists(), "what is there no longer belongs to this outcome"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_file_that_cannot_be_loaded_is_refused(run, monkeypatch):
    def build_half(run, form, target, task):
        target.write_bytes(run.folder.model_file.read_bytes()[:5000])

    monkeypatch.setattr(exporting, "build_file", build_half)
    with pytest.raises(ExportError, match="cannot be loaded again"):
        export_run(run.path, "keras")
    assert not list((run.path / "exports").glob(".making-*"))


def test_it_can_be_stopped(run):
    left, fresh = (run.path / "exports" / f".making-{name}" for name in ("left", "fresh"))
    for folder in (left, fresh):
        folder.mkdir(parents=True)
    os.utime(left, (0, 0))
    with pytest.raises(StoppedError):
        export_run(run.path, "saved_model", TaskContext(should_stop=lambda: True))
    assert list((run.path / "exports").glob(".making-*")) == [fresh], "nothing of it, nor of one that was cut off"
    fresh.rmdir()


def test_without_the_data_nothing_can_be_proven(run, workspace, tmp_path):
    gone = replace(run, dataset_id="gone-" + "0" * 32)
    update_run(run.path, dataset_id=gone.dataset_id)
    try:
        with pytest.raises(DatasetNotFoundError, match="was deleted"):
            export_run(run.path, "keras")
    finally:
        update_run(run.path, dataset_id=run.dataset_id)


def test_a_run_in_progress_has_nothing_to_export(workspace, dataset):
    waiting = create_run(workspace, QUICK, dataset)
    with pytest.raises(ModelUnavailableError, match="wait until"):
        export_run(waiting.path, "keras")
    update_run(waiting.path, status="failed")
    with pytest.raises(ModelUnavailableError, match="nothing to export"):
        export_run(waiting.path, "keras")
    with pytest.raises(ExportError, match="no export format"):
        export_run(waiting.path, "pytorch")


def test_a_missing_package_is_named(run, monkeypatch):
    monkeypatch.setattr(exporting, "missing_packages", lambda form: ("tf2onnx",))
    with pytest.raises(ExportError, match="pip install tf2onnx onnx onnxruntime"):
        export_run(run.path, "onnx")


@pytest.fixture(scope="module")
def web_page(run, tensorflow_js, browser, tmp_path_factory):
    """The exported page of the run, opened from a file without a network."""
    export = list_exports(load_run(run.path)).get("tensorflowjs") or export_run(run.path, "tensorflowjs")
    folder = tmp_path_factory.mktemp("page")
    with zipfile.ZipFile(export.path) as packed:
        page = Path(packed.extract("index.html", folder))
    with opened(browser, page, write_film(folder / "camera.mjpeg", COLOURS["red"])) as found:
        yield found


@pytest.mark.slow
def test_the_page_says_in_a_browser_what_the_dashboard_says(run, dataset, web_page, tmp_path):
    assert web_page.facts["state"] == "ready", web_page.complaints
    assert float(web_page.facts["difference"]) < LARGEST_DIFFERENCE
    predictor, known = open_predictor(run.path), novelty_of(run.path)
    files = pictures_of(dataset)[:1]
    for name in READ_BY_BROWSERS:
        files.append(tmp_path / name)
        files[-1].write_bytes(KINDS[name]())
    images = np.stack([predictor.reading.of_file(file.read_bytes()) for file in files])
    expected, seen = predictor.look(images)
    novelties = known.measure(seen)[0] / known.limit(ACCEPTED)
    for file, probabilities, novelty in zip(files, expected, novelties, strict=True):
        found, facts = web_page.ask(file)
        assert found == pytest.approx(probabilities, abs=READ_BY_BROWSERS.get(file.name, 1e-4)), file.name
        assert facts["answer"] == ("unlike" if novelty > 1 else "answered")
    assert web_page.complaints == []
    assert all(address.startswith(("file:", "blob:", "data:")) for address in web_page.requests)
    assert web_page.page.evaluate(SENDS) == "connect-src", "and it has forbidden itself to send anything"


@pytest.mark.slow
def test_the_page_answers_what_its_camera_sees(web_page):
    page = web_page.page
    page.evaluate(REMEMBER_HEADLINES)
    page.get_by_role("button", name="Start the camera").click()
    web_page.wait_for_answers(web_page.answers + 3)
    assert page.locator(".chip.first .name").inner_text() == "red"
    assert "mirrored" in page.locator("video").get_attribute("class")
    assert "answers per second" in page.locator("#pace").inner_text()
    page.evaluate("window.track = document.querySelector('video').srcObject.getVideoTracks()[0]")
    assert page.evaluate("window.headlines")[0] == "No picture yet", "no answer stands beside another picture"
    page.get_by_role("button", name="Stop the camera").click()
    assert page.evaluate("window.track.readyState") == "ended"


@pytest.mark.slow
def test_a_file_that_is_no_picture_is_said_on_the_page(web_page, tmp_path):
    (tmp_path / "words.png").write_bytes(b"no picture")
    web_page.page.set_input_files("#file", tmp_path / "words.png")
    web_page.page.get_by_text("This browser cannot read that file as a picture").wait_for()
    assert web_page.page.locator("#headline").inner_text() == "No picture yet"
