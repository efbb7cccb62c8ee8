"""Every format made from a real run, proven, and used by its own program in a process that has nothing of ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.tl_core.small_trainings import QUICK, Trainer
from tl_core.command_line import main
from tl_core.confidence import Confidence, keep_confidence
from tl_core.errors import DatasetNotFoundError, ExportError, ModelUnavailableError, StoppedError
from tl_core.export import FORMATS, export_run, exporting, kept_exports, missing_packages
from tl_core.export.proof import LARGEST_DIFFERENCE, LARGEST_LOSS
from tl_core.prediction import open_predictor
from tl_core.runs import create_run, load_run, update_run


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run.record


def unpacked(export, folder):
    with zipfile.ZipFile(export.path) as packed:
        packed.extractall(folder)
    return folder


def told(folder, *pictures):
    """What the program of an export prints; it runs away from this repository."""
    words = [sys.executable, "-P", "predict.py", *(str(picture) for picture in pictures)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [re.search(r": (.+) \((\d+\.\d)%\)$", line).groups() for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_says_what_the_dashboard_says(run, dataset, tmp_path, name):
    form = FORMATS[name]
    assert missing_packages(form) == (), "requirements-dev.txt has what every format needs"
    reports = []
    export = export_run(run.path, name, lambda done, text: reports.append((done, text)))
    assert export.proof.passed
    assert export.proof.images == len(dataset.of_split("validation"))
    if form.quantised:
        assert export.proof.app_accuracy - export.proof.accuracy <= LARGEST_LOSS
    else:
        assert 0 <= export.proof.max_difference <= LARGEST_DIFFERENCE
    assert kept_exports(load_run(run.path))[name] == export
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)

    folder = unpacked(export, tmp_path)
    assert (folder / form.model).exists()
    assert (folder / "labels.txt").read_text().splitlines() == list(run.classes)
    pictures = [dataset.path_of(image) for image in dataset.of_split("test")]
    images = np.stack([np.asarray(keras.utils.load_img(path, target_size=(32, 32))) for path in pictures])
    expected = [run.classes[place] for place in open_predictor(run.path).predict(images).argmax(axis=1)]
    assert [answer for answer, _ in told(folder, *pictures)] == expected


def test_the_card_tells_where_the_model_comes_from(run, dataset, tmp_path):
    export = export_run(run.path, "keras")
    text = (unpacked(export, tmp_path) / "MODEL_CARD.md").read_text()
    for words in ("## Proof", "## Data", "## Results", "### Epochs", "## Settings", "## Limits", "learning_rate"):
        assert words in text
    assert all(f"| {name} |" in text for name in run.classes)
    assert f"{export.proof.max_difference:.2g}" in text
    assert dataset.fingerprint[:16] in text


def test_temperature_and_doubt_are_in_the_program(run, dataset, tmp_path):
    pictures = [dataset.path_of(image) for image in dataset.of_split("test")]
    plain = told(unpacked(export_run(run.path, "keras"), tmp_path / "plain"), *pictures)
    keep_confidence(run.folder, Confidence(model_sha256=run.model_sha256, temperature=8.0, threshold=0.99))
    try:
        assert kept_exports(run) == {}, "what was made before answers in another way"
        export = export_run(run.path, "keras")
        doubtful = told(unpacked(export, tmp_path / "doubtful"), *pictures)
    finally:
        run.folder.confidence_file.unlink()
    assert export.proof.passed
    assert {answer for answer, _ in doubtful} == {"I don't know"}
    assert all(float(calm) < float(sure) for (_, calm), (_, sure) in zip(doubtful, plain, strict=True))


def test_a_sigmoid_gives_both_classes(two_classes, workspace, tmp_path):
    head = replace(QUICK.head, output="sigmoid")
    run = Trainer(workspace)(two_classes, head=head, epochs=2).record
    export = export_run(run.path, "keras")
    assert export.proof.passed
    pictures = [two_classes.path_of(image) for image in two_classes.of_split("test")]
    assert {answer for answer, _ in told(unpacked(export, tmp_path), *pictures)} <= set(run.classes)


def test_a_damaged_export_is_refused_and_says_why(run, monkeypatch, capsys, workspace):
    export_run(run.path, "keras")

    def build_another(run, form, target, should_stop):
        model = keras.models.load_model(run.folder.model_file, compile=False)
        kernel, bias = model.layers[-1].layers[-1].get_weights()
        model.layers[-1].layers[-1].set_weights([-kernel, bias])
        model.save(target)

    monkeypatch.setattr(exporting, "_build", build_another)
    export = export_run(run.path, "keras")
    assert "differ from those of the dashboard" in export.proof.failure
    assert export.proof.max_difference > LARGEST_DIFFERENCE
    assert not export.path.exists(), "the good one of before is no longer offered either"
    assert kept_exports(run)["keras"].proof == export.proof

    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    assert main(["export", run.id, "--format", "keras"]) == 2
    assert "not offered" in capsys.readouterr().err


def test_a_file_that_cannot_be_loaded_is_refused(run, monkeypatch):
    def build_half(run, form, target, should_stop):
        target.write_bytes(run.folder.model_file.read_bytes()[:5000])

    monkeypatch.setattr(exporting, "_build", build_half)
    with pytest.raises(ExportError, match="cannot be loaded again"):
        export_run(run.path, "keras")
    assert not list((run.path / "exports").glob(".making-*"))


def test_it_can_be_stopped(run):
    with pytest.raises(StoppedError):
        export_run(run.path, "saved_model", should_stop=lambda: True)
    assert not list((run.path / "exports").glob(".making-*"))


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
    with pytest.raises(ExportError, match="no export format"):
        export_run(waiting.path, "pytorch")


def test_a_missing_package_is_named(run, monkeypatch):
    monkeypatch.setattr(exporting, "missing_packages", lambda form: ("tf2onnx",))
    with pytest.raises(ExportError, match="pip install tf2onnx onnx onnxruntime"):
        export_run(run.path, "onnx")


def test_from_the_command_line(run, workspace, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    assert main(["export", run.id, "--format", "keras", "--output", str(tmp_path / "new"), "--json"]) == 0
    out, err = capsys.readouterr()
    values = json.loads(out.splitlines()[-1])
    assert zipfile.is_zipfile(values["file"])
    assert values["proof"]["failure"] is None
    assert "Loading the file afresh" in err
