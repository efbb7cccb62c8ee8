"""Which epoch is kept, and that every number told of it is one of the model that is stored."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, coloured
from tl_core.config import AUGMENTATION_LEVELS
from tl_core.data import import_uploads
from tl_core.inference.predict import predict_images


@pytest.fixture(scope="module")
def lopsided(workspace):
    """A frequent class and a rare one, not easy to tell apart."""
    near = {"frequent": COLOURS["blue"], "rare": (60, 60, 180)}
    counts = {"frequent": 60, "rare": 10}
    images = {
        name: [(f"{number}.png", coloured(near[name], 1000 * place + number)) for number in range(counts[name])]
        for place, name in enumerate(near)
    }
    return import_uploads(workspace, images, "Lopsided")


def kept_probabilities(run, split):
    return np.load(run.folder.path / f"evaluation-{split}.npz")["probabilities"]


def test_with_class_weights_the_same_weights_decide_which_epoch_is_kept(train_run, lopsided):
    run = train_run(lopsided, class_weights=True, label_smoothing=0.0, epochs=6, learning_rate=1e-3)
    labels = np.array([image.label for image in lopsided.of_split("validation")])
    training = np.bincount([image.label for image in lopsided.of_split("train")])
    of_class = training.sum() / (2 * training)
    losses = -np.log(kept_probabilities(run, "validation")[np.arange(len(labels)), labels])
    weighted = np.average(losses, weights=of_class[labels])
    assert abs(weighted - losses.mean()) > 0.01, "else nothing could be told"
    assert run.record.best.val_loss == pytest.approx(weighted, abs=1e-3)
    assert run.record.best.epoch == min(run.epochs, key=lambda event: event["val_loss"])["epoch"]


AUTO, MIXED = {"precision": "auto"}, {"precision": "mixed_bfloat16"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        AUTO,
        MIXED,
        {**AUTO, "frozen_layers": 15, "fine_tune_epochs": 2},
        {**MIXED, "frozen_layers": 15, "fine_tune_epochs": 2},
        {**AUTO, "augmentation": AUGMENTATION_LEVELS["light"], "augmentation_mode": "full"},
        {**AUTO, "augmentation": AUGMENTATION_LEVELS["light"], "augmentation_mode": "cached_views", "views": 2},
    ],
    ids=["auto", "mixed", "auto, fine-tuned", "mixed, fine-tuned", "auto, augmented", "auto, views"],
)
def test_every_number_is_that_of_the_stored_model(train_run, lopsided, settings):
    run = train_run(lopsided, epochs=4, learning_rate=1e-3, label_smoothing=0.0, **settings)
    metrics = json.loads(run.folder.metrics_file.read_text())
    for split in ("validation", "test"):
        records = lopsided.of_split(split)
        labels = np.array([image.label for image in records])
        files = [lopsided.path_of(record).read_bytes() for record in records]
        answers = [dict(answer.ranked) for answer in predict_images(run.record.path, files)]
        stored = np.array([[answer[name] for name in lopsided.classes] for answer in answers])
        assert np.abs(kept_probabilities(run, split) - stored).max() < 1e-4
        assert metrics[split]["accuracy"] == pytest.approx((stored.argmax(axis=1) == labels).mean(), abs=1e-6)
        losses = -np.log(stored[np.arange(len(labels)), labels])
        assert metrics[split]["loss"] == pytest.approx(losses.mean(), abs=1e-3)
        if split == "validation":
            assert run.record.best.val_accuracy == metrics[split]["accuracy"]
            assert run.record.best.val_loss == pytest.approx(metrics[split]["loss"], abs=1e-6)
            assert f"{100 * metrics[split]['accuracy']:.1f} %" in run.events[-1]["text"]
