"""Every setting of a training reaches it."""

import numpy as np
import pytest

from tl_core.config import AugmentationConfig, HeadConfig
from tl_core.training.losses import balanced_class_weights, sample_weights

FLIP = AugmentationConfig(horizontal_flip=True, brightness=0.1, rotation_degrees=10)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adamw", "weight_decay": 0.01},
        {"optimizer": "rmsprop", "learning_rate": 1e-3},
        {"optimizer": "sgd", "weight_decay": 1e-4},
        {"label_smoothing": 0.1},
        {"class_weights": True},
        {
            "head": HeadConfig(pooling="max", dense_units=(16, 8), batch_norm=True, l2=0.001, dropout=0.1),
            "epochs": 40,
        },
        {"head": HeadConfig(pooling="flatten", feature_normalization="layer")},
        {"batch_size": 1000},
    ],
    ids=lambda changes: "+".join(changes),
)
def test_a_training_with_this_setting_learns(train_run, dataset, changes):
    run = train_run(dataset, **{"epochs": 8, **changes})
    assert run.record.status == "done"
    assert run.curve("loss")[-1] < run.curve("loss")[0]
    assert run.record.best.val_accuracy >= 0.6


def test_sigmoid_for_two_classes(train_run, two_classes):
    head = HeadConfig(output="sigmoid", feature_normalization="layer", dropout=0.0)
    run = train_run(two_classes, head=head, epochs=6)
    assert run.record.best.val_accuracy == 1.0
    kept = np.load(run.folder.path / "evaluation-validation.npz")["probabilities"]
    assert kept.shape[1] == 2
    assert np.allclose(kept.sum(axis=1), 1)


def test_full_augmentation_shows_other_images_in_each_epoch(train_run, dataset):
    run = train_run(dataset, augmentation=FLIP, epochs=8)
    assert run.record.status == "done"
    assert run.record.best.val_accuracy == 1.0
    assert "over 12 images" in "".join(event["text"] for event in run.of_kind("phase"))  # validation and test alone


def test_cached_views_run_through_the_trunk_once(train_run, dataset, monkeypatch):
    changes = {"augmentation": FLIP, "augmentation_mode": "cached_views", "views": 3}
    run = train_run(dataset, epochs=8, **changes)
    assert run.record.best.val_accuracy == 1.0
    train, rest = len(dataset.of_split("train")), len(dataset.images) - len(dataset.of_split("train"))
    assert f"{rest + 3 * train} images" in "".join(event["text"] for event in run.of_kind("phase"))
    again = train_run(dataset, epochs=8, **changes)
    assert again.curve("loss") == pytest.approx(run.curve("loss"), abs=1e-3)


def test_class_weights_let_every_class_count_the_same():
    labels = np.array([0] * 6 + [1] * 2)
    weights = sample_weights(labels, balanced_class_weights(labels, 2))
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    assert weights.mean() == pytest.approx(1)
    assert (sample_weights(labels, None) == 1).all()
