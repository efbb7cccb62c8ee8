"""One training of the head, from the images to the files of the run."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, GREY, Trainer, import_coloured
from tl_core.backbones import pool
from tl_core.config import HeadConfig
from tl_core.storage.files import sha256_of
from tl_core.storage.workspace import Workspace
from tl_core.training import data


def test_a_run_ends_with_a_model_its_labels_and_its_metrics(train_run, dataset):
    run = train_run(dataset)
    assert run.record.status == "done"
    assert run.phases == ["prepare", "features", "features", "head", "evaluate", "save"]
    assert [event["epoch"] for event in run.epochs] == [1, 2, 3, 4]
    assert run.record.best.val_accuracy == 1.0
    assert run.record.model_sha256 == sha256_of(run.folder.model_file)
    assert json.loads(run.folder.labels_file.read_text())["classes"] == ["blue", "green", "red"]
    metrics = json.loads(run.folder.metrics_file.read_text())
    assert metrics["test"]["accuracy"] == 1.0
    assert {"prepare", "features", "head", "save"} <= metrics["seconds"].keys()
    assert run.events[-1]["kind"] == "end"
    assert "100.0 %" in run.events[-1]["text"]
    assert "CPU" in run.record.device or "GPU" in run.record.device


@pytest.mark.slow
def test_the_kept_model_is_that_of_the_lowest_validation_loss(train_run, noise):
    run = train_run(noise, epochs=6, learning_rate=0.05)
    losses = run.curve("val_loss")
    best = 1 + int(np.argmin(losses))
    assert run.record.best.epoch == best
    assert [event["epoch"] for event in run.epochs if event["best"]][-1] == best
    metrics = json.loads(run.folder.metrics_file.read_text())
    assert metrics["validation"]["loss"] == pytest.approx(losses[best - 1], abs=1e-5)


def test_the_saved_model_predicts_the_same_in_a_fresh_process(train_run, dataset):
    run = train_run(dataset)
    kept = np.load(run.folder.path / "evaluation-validation.npz")["probabilities"]
    program = """
import json, sys
import keras, numpy as np
from PIL import Image
model = keras.models.load_model(sys.argv[1], safe_mode=True)
images = [np.asarray(Image.open(file).resize((32, 32), Image.Resampling.BILINEAR)) for file in sys.argv[2:]]
print(json.dumps(model(np.stack(images).astype("float32"), training=False).numpy().tolist()))
print(json.dumps(sorted({type(layer).__module__ for layer in model.layers})))
"""
    files = [str(dataset.path_of(record)) for record in dataset.of_split("validation")]
    done = subprocess.run(
        [sys.executable, "-c", program, str(run.folder.model_file), *files],
        capture_output=True,
        text=True,
        check=True,
    )
    probabilities, modules = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert np.abs(np.array(probabilities) - kept).max() < 1e-5
    assert all(module.startswith("keras.") and not module.endswith("lambda_layer") for module in modules)


@pytest.mark.slow
def test_the_trunk_runs_once_for_all_runs_with_the_same_backbone(train_run, dataset, monkeypatch):
    train_run(dataset, epochs=1)

    def refuse(*arguments, **options):
        raise AssertionError("the trunk was compiled again")

    monkeypatch.setattr(data, "compile_network", refuse)
    again = train_run(dataset, epochs=1, learning_rate=3e-3, batch_size=4)
    assert again.record.status == "done"


@pytest.mark.slow
def test_other_pixels_or_another_backbone_meet_no_kept_features(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path).ensure()  # its own: another test may keep features of any seed in the shared one
    train_run = Trainer(workspace)
    dataset, noise = (import_coloured(workspace, colours) for colours in (COLOURS, GREY))
    train_run(dataset, epochs=1)
    compiled = []
    original = data.compile_network
    monkeypatch.setattr(data, "compile_network", lambda *a, **k: compiled.append(1) or original(*a, **k))
    train_run(noise, epochs=1, image_size=33)
    assert len(compiled) == 1
    train_run(dataset, epochs=1, seed=8)  # of random weights the seed is the identity
    assert len(compiled) == 2


@pytest.mark.slow
def test_the_same_seed_gives_the_same_curve(train_run, dataset):
    first, second = (train_run(dataset, head=HeadConfig(dropout=0.3), epochs=3) for _ in range(2))
    for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
        assert first.curve(name) == pytest.approx(second.curve(name), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
def test_the_learning_rate_follows_its_schedule(train_run, noise, schedule):
    run = train_run(noise, epochs=40, schedule=schedule, learning_rate=0.05)
    rates = run.curve("learning_rate")
    assert rates[0] == pytest.approx(0.05)
    if schedule == "constant":
        assert set(rates) == {rates[0]}
    else:
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] < rates[0]
    if schedule == "plateau":
        assert any("learning rate is now" in note for note in run.notes)


def test_early_stopping_ends_a_phase_that_no_longer_improves(train_run, noise):
    run = train_run(noise, epochs=60, learning_rate=0.05, early_stopping_patience=3)
    assert run.record.status == "done"
    assert len(run.epochs) < 60
    assert len(run.epochs) == 1 + int(np.argmin(run.curve("val_loss"))) + 3
    assert any("ends early" in note for note in run.notes)


@pytest.mark.slow
def test_the_next_training_takes_the_backbone_of_the_last_and_learns_the_same(train_run, dataset):
    pool._pool.clear()
    settings = {"backbone": "efficientnet_lite0", "weights": "imagenet", "epochs": 3}
    built = train_run(dataset, **settings)
    assert len(pool._pool) == 1
    taken = train_run(dataset, **settings)
    assert taken.curve("val_loss") == pytest.approx(built.curve("val_loss"), abs=1e-5)
    train_run(dataset, **settings, frozen_layers=130, fine_tune_epochs=1)
    assert not len(pool._pool), "a backbone that was trained is nobody's spare one"
