"""From a training here to predictions on another machine: an imported export predicts what its run predicts."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest

from tests.hostile.models import good_model, lambda_of_keras
from tests.tl_core.small_trainings import COLOURS, coloured, probabilities_of
from tl_core.command_line import main
from tl_core.errors import ModelFileError
from tl_core.export.exporting import export_run
from tl_core.imported_models.importing import import_model
from tl_core.imported_models.model_server import answerer_of, close_imported_model
from tl_core.inference.calibration import Calibration, save_calibration
from tl_core.inference.predict import predict_images, predict_with
from tl_core.storage.workspace import Workspace
from ui.runs_page.export import pack_model

PICTURES = [coloured(colour, 400 + seed) for seed, colour in enumerate([*COLOURS.values()] * 5)]


@pytest.fixture(scope="module")
def exported(shared_run):
    """The zip of a Keras export of a run with a rejection threshold, and the run's own predictions."""
    run = shared_run.record
    save_calibration(run.workspace, run, Calibration(model_sha256=run.model_sha256, temperature=3.0, threshold=0.8))
    try:
        yield export_run(run.path, "keras").path, predict_images(run.path, PICTURES)
    finally:
        run.folder.calibration_file.unlink()


@pytest.fixture
def elsewhere(tmp_path):
    """Another machine."""
    yield Workspace(tmp_path / "elsewhere").ensure()
    close_imported_model()


@pytest.mark.slow
def test_the_export_of_a_run_predicts_elsewhere_as_the_run_does_here(exported, elsewhere, shared_run):
    path, here = exported
    model = import_model(elsewhere, path, path.name)
    run = shared_run.record
    assert (model.name, model.classes, model.sha256) == (run.name, run.classes, run.model_sha256)
    assert (model.temperature, model.threshold, model.has_manifest) == (3.0, 0.8, True)
    there = predict_with(answerer_of(model), PICTURES)
    said, expected = (probabilities_of(answers) for answers in (there, here))
    assert np.abs(said - expected).max() <= 1e-5
    assert [answer.answered for answer in there] == [answer.answered for answer in here]


def test_what_a_run_offers_for_download_is_read_too(elsewhere, shared_run, tmp_path):
    path = tmp_path / "run.zip"
    path.write_bytes(pack_model(shared_run.record))
    model = import_model(elsewhere, path, path.name)
    assert model.classes == shared_run.record.classes
    assert model.sha256 == shared_run.record.model_sha256


@pytest.mark.slow
def test_a_model_exchanged_within_the_export_is_refused(exported, elsewhere, tmp_path):
    path = tmp_path / "exchanged.zip"
    with zipfile.ZipFile(exported[0]) as given, zipfile.ZipFile(path, "w") as changed:
        for name in given.namelist():
            changed.writestr(name, good_model() if name == "model.keras" else given.read(name))
    with pytest.raises(ModelFileError, match="not the one that its manifest speaks of"):
        import_model(elsewhere, path, path.name)


@pytest.fixture
def predict(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path / "workspace"))

    def call(*words):
        code = main(["predict", *(str(word) for word in words), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else {}, err

    return call


@pytest.mark.slow
def test_the_command_line_predicts_with_a_file_and_stores_nothing(exported, predict, tmp_path):
    picture = tmp_path / "red.png"
    picture.write_bytes(coloured(COLOURS["red"], 7))
    code, said, err = predict("--model", exported[0], picture, picture)
    assert code == 0, err
    assert (said["temperature"], said["threshold"], said["classes"]) == (3.0, 0.8, list(COLOURS))
    assert [answer["top"][0]["class"] for answer in said["predictions"]] == ["red", "red"]
    assert list((tmp_path / "workspace" / "models").iterdir()) == []


@pytest.mark.slow
def test_the_command_line_wants_names_for_a_bare_file_and_refuses_a_hostile_one(predict, tmp_path):
    picture, labels = tmp_path / "red.png", tmp_path / "labels.txt"
    picture.write_bytes(coloured(COLOURS["red"], 7))
    labels.write_text("blue\nred\n", encoding="utf-8")
    good, bad = tmp_path / "good.keras", tmp_path / "bad.keras"
    good.write_bytes(good_model())
    bad.write_bytes(lambda_of_keras())
    code, _, err = predict("--model", good, picture)
    assert (code, "give their names" in err) == (2, True)
    code, said, _ = predict("--model", good, "--labels", labels, picture)
    assert (code, said["predictions"][0]["answer"]) == (0, "red")
    code, _, err = predict("--model", bad, "--labels", labels, picture)
    assert (code, "which no model trained in this dashboard does" in err) == (2, True)
    code, _, err = predict("--model", tmp_path / "none.keras", picture)
    assert (code, "cannot be read" in err) == (2, True)
    shutil.rmtree(tmp_path / "workspace")
