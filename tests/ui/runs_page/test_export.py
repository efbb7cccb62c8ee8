"""Exporting a model from the Runs page: choosing, making, stopping, and what came of it in words."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import pytest

from tests.ui.pages_without_browser import checked, open_page, press, run_until
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.errors import WorkspaceError
from tl_core.export.exporting import Export
from tl_core.export.formats import FORMATS
from tl_core.export.proof import Proof
from tl_core.inference.calibration import load_calibration
from ui.runs_page.export import EXPORTS, format_proof, read_page

PAGE = "pages/3_Runs.py"
PATIENCE = 20_000  # refreshes


@pytest.fixture
def run(workspace):
    return ended_run(workspace, colour_dataset(workspace), "First try")


def labels(at, kind="button"):
    return [element.proto.label for element in at.get(kind)]


def choose(at, run, name):
    return checked(at.radio(key=f"runs-{run.id}-export-format").set_value(name).run())


def test_every_format_is_offered_with_what_it_is_for(run):
    at = open_page(PAGE, run=run.id)
    radio = at.radio(key=f"runs-{run.id}-export-format")
    assert radio.options == [form.title for form in FORMATS.values()]
    assert list(radio.proto.captions) == [form.purpose for form in FORMATS.values()]
    assert "Create and check" in labels(at)


@pytest.mark.slow
def test_an_export_is_made_proven_and_offered(run):
    at = press(open_page(PAGE, run=run.id), "Create and check")
    assert "Cancel" in labels(at)
    run_until(at, lambda at: EXPORTS.latest(str(run.path)).ended, PATIENCE)
    checked(at.run())
    assert "Checked: loaded again and asked about" in at.success[-1].value
    assert any(label.startswith("Download Keras") for label in labels(at, "download_button"))
    assert at.radio(key=f"runs-{run.id}-export-format").proto.captions[0].startswith(":green[:material/check:]")
    assert "Create and check" in labels(choose(at, run, "tflite"))


def test_what_is_pressed_at_once_after_choosing_is_for_what_was_chosen(run):
    """On a slow machine the button of the format before is still there, and both come to the server together."""
    at = open_page(PAGE, run=run.id)
    at.radio(key=f"runs-{run.id}-export-format").set_value("tflite")
    press(at, "Create and check")
    assert EXPORTS.latest(str(run.path)).title == "tflite"
    press(at, "Cancel")
    run_until(at, lambda at: EXPORTS.latest(str(run.path)).ended, PATIENCE)


def test_an_export_can_be_cancelled(run, monkeypatch):
    at = press(open_page(PAGE, run=run.id), "Create and check")
    press(at, "Cancel")
    run_until(at, lambda at: EXPORTS.latest(str(run.path)).ended, PATIENCE)
    checked(at.run())
    assert not (run.path / "exports" / "keras.zip").exists()
    assert "Create and check" in labels(at)


def test_a_refused_export_shows_the_reason_and_is_not_offered(run):
    (run.path / "exports").mkdir()
    confidence = load_calibration(run.folder, run.model_sha256)
    proof = {"images": 8, "max_difference": 0.2, "accuracy": 0.5, "app_accuracy": 1.0, "failure": "It differs a lot."}
    values = {
        "format": "keras",
        "proof": proof,
        "model_sha256": run.model_sha256,
        "made": "2026-01-01T00:00:00+00:00",
    }
    values |= {"temperature": confidence.temperature, "threshold": confidence.threshold, "size": 0}
    (run.path / "exports" / "keras.json").write_text(json.dumps(values))
    at = open_page(PAGE, run=run.id)
    assert at.warning[-1].value == "It differs a lot."
    assert not any(label.startswith("Download Keras") for label in labels(at, "download_button"))
    assert "Create it again" in labels(at)


def test_of_a_web_page_the_page_alone_is_offered_too(run):
    folder = run.path / "exports"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tensorflowjs.zip", "w") as packed:
        packed.writestr("index.html", "<!doctype html>")
    confidence = load_calibration(run.folder, run.model_sha256)
    values = {
        "format": "tensorflowjs",
        "proof": {"images": 8, "max_difference": 0.0, "accuracy": 1.0, "app_accuracy": 1.0},
        "model_sha256": run.model_sha256,
        "made": "2026-01-01T00:00:00+00:00",
        "temperature": confidence.temperature,
        "threshold": confidence.threshold,
        "size": 1,
    }
    (folder / "tensorflowjs.json").write_text(json.dumps(values))
    at = choose(open_page(PAGE, run=run.id), run, "tensorflowjs")
    offered = labels(at, "download_button")
    assert "Download the page alone" in offered
    assert any(label.startswith("Download Web page (TensorFlow.js) (") for label in offered)
    assert read_page(folder / "tensorflowjs.zip", "index.html") == b"<!doctype html>"
    assert "Download the page alone" not in labels(choose(at, run, "keras"), "download_button")


def test_a_missing_package_is_named(run, monkeypatch):
    monkeypatch.setattr("tl_core.export.formats.missing_packages", lambda form: form.packages)
    at = choose(open_page(PAGE, run=run.id), run, "onnx")
    assert "pip install tf2onnx onnx onnxruntime" in at.info[-1].value
    (formats,) = [radio for radio in at.radio if radio.label == "Format"]
    of_onnx = list(formats.proto.captions)[list(FORMATS).index("onnx")]
    assert "Needs 3 more packages" in of_onnx, "said before it is chosen"
    assert "Create and check" not in labels(at)


def test_what_goes_wrong_is_said_in_a_sentence(run, monkeypatch):
    def fail(*_):
        raise WorkspaceError("The disk is full.")

    monkeypatch.setattr("tl_core.export.exporting.export_run", fail)
    at = press(open_page(PAGE, run=run.id), "Create and check")
    run_until(at, lambda at: EXPORTS.latest(str(run.path)).ended, PATIENCE)
    checked(at.run())
    assert at.error[-1].value == "The disk is full."
    assert "Create and check" in labels(at)


def test_a_run_without_a_model_has_code_alone(workspace, dataset):
    run = ended_run(workspace, dataset, status="failed", model=False)
    at = open_page(PAGE, run=run.id)
    assert not [radio for radio in at.radio if radio.label == "Format"]
    assert {"Python script", "Notebook"} <= set(labels(at, "download_button"))


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (0.0, "its answers are identical;"),
        (2.4e-6, "its answers are practically identical;"),
        (0.0301, "within 0.04 "),
    ],
)
def test_the_check_of_an_export_as_text(tmp_path, difference, words):
    proof = Proof(images=32, max_difference=difference, accuracy=0.75, app_accuracy=0.75)
    export = Export(
        format="keras", path=tmp_path, proof=proof, model_sha256="", temperature=1.0, threshold=0.0, made="", size=1
    )
    assert words in format_proof(export)
    assert "75.0 % of its answers are right, as here" in format_proof(export)
    worse = replace(export, proof=replace(proof, app_accuracy=0.8))
    assert "here 80.0 %" in format_proof(worse)
