"""The second phase: the layers above the frozen ones learn, and never to the model's harm."""

import keras
import numpy as np
import pytest

from tl_core.backbones.build import build_backbone
from tl_core.config import AugmentationConfig
from tl_core.models.classifier import split_classifier
from tl_core.training import data

BLOCK5 = 15  # of VGG16's 19 layers the last four


@pytest.mark.slow
def test_epochs_count_on_and_the_best_of_both_phases_is_kept(train_run, dataset):
    run = train_run(dataset, frozen_layers=BLOCK5, epochs=2, fine_tune_epochs=3, fine_tune_learning_rate=1e-4)
    assert [event["epoch"] for event in run.epochs] == [1, 2, 3, 4, 5]
    assert [event["phase"] for event in run.epochs] == ["head"] * 2 + ["fine_tune"] * 3
    begin = next(event for event in run.of_kind("phase") if event["phase"] == "fine_tune")
    assert (begin["first_epoch"], begin["epochs"]) == (3, 3)
    assert begin["trainable_parameters"] > 7_000_000
    assert run.record.best.val_loss == pytest.approx(min(run.curve("val_loss")), abs=1e-5)


@pytest.mark.slow
def test_fine_tuning_that_does_harm_leaves_the_model_of_the_first_phase(train_run, dataset):
    run = train_run(
        dataset, frozen_layers=BLOCK5, epochs=3, fine_tune_epochs=2, fine_tune_learning_rate=0.05, optimizer="sgd"
    )
    head = [event for event in run.epochs if event["phase"] == "head"]
    fine = [event for event in run.epochs if event["phase"] == "fine_tune"]
    assert min(event["val_loss"] for event in fine) > min(event["val_loss"] for event in head)
    assert run.record.best.phase == "head"
    saved = split_classifier(keras.models.load_model(run.folder.model_file)).base
    keras.utils.set_random_seed(run.record.config.seed)
    untouched = build_backbone("vgg16", 32, "random")
    for weight, original in zip(saved.weights, untouched.weights, strict=True):
        assert np.array_equal(weight.numpy(), original.numpy())


@pytest.mark.parametrize("augmented", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_only_the_layers_above_the_frozen_ones_change(train_run, dataset, augmented):
    run = train_run(
        dataset,
        backbone="efficientnet_lite0",
        weights="imagenet",
        frozen_layers=125,
        epochs=1,
        fine_tune_epochs=2,
        learning_rate=1e-4,
        fine_tune_learning_rate=1e-3,
        augmentation=AugmentationConfig(horizontal_flip=augmented),
    )
    assert run.record.best.phase == "fine_tune"
    before = build_backbone("efficientnet_lite0", 32)
    after = split_classifier(keras.models.load_model(run.folder.model_file)).base
    changed = {
        index
        for index, (old, new) in enumerate(zip(before.layers, after.layers, strict=True))
        if any(not np.array_equal(a.numpy(), b.numpy()) for a, b in zip(old.weights, new.weights, strict=True))
    }
    assert changed
    assert min(changed) >= 125
    normalizations = [index for index in changed if isinstance(after.layers[index], keras.layers.BatchNormalization)]
    assert normalizations
    for index in normalizations:  # they learn their scale, their statistics stay
        assert np.array_equal(before.layers[index].moving_mean, after.layers[index].moving_mean)


def test_everything_can_be_unfrozen(train_run, dataset):
    run = train_run(dataset, frozen_layers=0, epochs=2, fine_tune_epochs=1, fine_tune_learning_rate=1e-5)
    assert run.record.status == "done"
    assert len(run.epochs) == 3
    assert run.of_kind("phase")[-3]["trainable_parameters"] > 14_714_688


def test_with_all_layers_frozen_there_is_one_phase(train_run, dataset):
    run = train_run(dataset, frozen_layers=None, epochs=1, fine_tune_epochs=2)
    assert "fine_tune" not in run.phases


@pytest.mark.slow
def test_what_is_too_large_to_keep_is_computed_in_every_epoch(train_run, dataset, monkeypatch):
    fits = {"frozen_layers": BLOCK5, "epochs": 1, "fine_tune_epochs": 2, "fine_tune_learning_rate": 1e-4}
    kept = train_run(dataset, **fits)
    monkeypatch.setattr(data, "compute_features", lambda *arguments: None)
    live = train_run(dataset, **fits)
    assert any("too large to keep" in note for note in live.notes)
    assert live.curve("val_loss") == pytest.approx(kept.curve("val_loss"), abs=1e-3)
