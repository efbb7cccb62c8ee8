"""What a model in training says about watched images, epoch by epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import QUICK, Trained
from tl_core.config import AUGMENTATION_LEVELS, HeadConfig
from tl_core.runs import create_run, load_run
from tl_core.runs.record import CHECKPOINT_FILE
from tl_core.runs.store import with_more_epochs
from tl_core.runs.watched_images import save_watched_images, watch_dataset_image
from tl_core.training import extend, resume, train
from tl_core.training.callbacks import backup

CUT = {"frozen_layers": 15, "fine_tune_epochs": 2, "fine_tune_learning_rate": 1e-4}
SETTINGS = {
    "all frozen": {},
    "fine-tuning at a cut": CUT,
    "full augmentation": {"augmentation": AUGMENTATION_LEVELS["light"], "augmentation_mode": "full"},
    "cached views, then a cut": {"augmentation": AUGMENTATION_LEVELS["light"], **CUT},
    "nothing frozen": {**CUT, "frozen_layers": 0},
    "sigmoid": {"head": HeadConfig(output="sigmoid", feature_normalization="layer", dropout=0.3)},
}


def pinned_run(workspace, dataset, settings, pinned=3):
    """A run that waits, with the first validation images pinned."""
    run = create_run(workspace, replace(QUICK, **{"epochs": 3, **settings}), dataset)
    records = dataset.of_split("validation")[:pinned]
    save_watched_images(run.folder, [watch_dataset_image(dataset, record) for record in records])
    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_each_epoch_tells_what_its_model_says(workspace, dataset, two_classes, name):
    """The kept model's own measurement of the same images is the reference."""
    images = two_classes if name == "sigmoid" else dataset
    run = pinned_run(workspace, images, SETTINGS[name])
    train(run.config, images.path, run.path, lambda: False)
    trained = Trained(run.path)
    told = {event["epoch"]: np.array(event["probabilities"]) for event in trained.of_kind("pinned")}
    assert list(told) == [event["epoch"] for event in trained.epochs]
    measured = np.load(run.folder.path / "evaluation-validation.npz")["probabilities"]
    at_best = told[trained.record.best.epoch]
    assert at_best.shape == (3, len(images.classes))
    assert np.abs(at_best - measured[:3]).max() < 2e-3
    assert any(np.abs(at_best - rows).max() > 0 for rows in told.values()), "the model learns"


@pytest.mark.slow
def test_watching_changes_nothing_that_is_learned(workspace, dataset, train_run):
    settings = {"epochs": 2, **CUT, "head": HeadConfig(dropout=0.3)}
    train_run(dataset, **settings)  # what it keeps, both of the others find
    alone = train_run(dataset, **settings)
    run = pinned_run(workspace, dataset, settings)
    train(run.config, dataset.path, run.path, lambda: False)
    watched = Trained(run.path)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert watched.curve(name) == pytest.approx(alone.curve(name), abs=1e-6)
    assert not alone.of_kind("pinned")
    assert [event["kind"] for event in alone.events if event["kind"] != "batch"] == [
        event["kind"] for event in watched.events if event["kind"] not in ("batch", "pinned")
    ]


def test_a_resumed_or_longer_run_tells_each_epoch_once(workspace, dataset, monkeypatch):
    monkeypatch.setattr(backup, "CHECKPOINT_INTERVAL", 0.0)
    run = pinned_run(workspace, dataset, {"epochs": 6})

    def die():
        if len(Trained(run.path).of_kind("pinned")) >= 4:
            raise SystemExit
        return False

    with pytest.raises(SystemExit):
        train(run.config, dataset.path, run.path, die)
    assert (run.path / CHECKPOINT_FILE).exists()
    resume(load_run(run.path).config, dataset.path, run.path, lambda: False)
    assert [event["epoch"] for event in Trained(run.path).of_kind("pinned")] == [1, 2, 3, 4, 5, 6]
    extend(with_more_epochs(load_run(run.path), 2), dataset.path, run.path, lambda: False)
    assert [event["epoch"] for event in Trained(run.path).of_kind("pinned")] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_picture_that_is_gone_is_no_reason_not_to_train(workspace, dataset):
    run = pinned_run(workspace, dataset, {"epochs": 1})
    (run.folder.watched_images_folder / "1.png").unlink()
    train(run.config, dataset.path, run.path, lambda: False)
    trained = Trained(run.path)
    assert trained.record.status == "done"
    assert not trained.of_kind("pinned")
    assert any("watched images are left out" in note for note in trained.notes)
