"""A run whose head looks at several blocks and at the mirror image, from its training to a heatmap."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tl_core.small_trainings import Trainer, png
from tl_core.config import HeadConfig
from tl_core.inference.grad_cam import open_grad_cam
from tl_core.inference.predict import predict_images

LOOKS = HeadConfig(blocks=2, pooling="both", mirrored=True, feature_normalization="layer", dropout=0.0)


@pytest.fixture(scope="module")
def run(workspace, dataset):
    return Trainer(workspace)(
        dataset, head=LOOKS, epochs=3, frozen_layers=15, fine_tune_epochs=1, fine_tune_learning_rate=1e-4
    )


@pytest.mark.slow
def test_it_trains_in_both_phases(run):
    assert "fine_tune" in [event["phase"] for event in run.epochs]
    assert run.record.status == "done"
    assert run.record.best.val_accuracy > 0.8


def test_its_model_answers_and_shows_where_it_looked(run):
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    straight, mirrored = predict_images(run.record.path, [png(image), png(image[:, ::-1])])
    assert dict(straight.ranked) == pytest.approx(dict(mirrored.ranked), abs=1e-3)
    explained = open_grad_cam(run.record.path)
    heat = explained.explain(np.zeros((32, 32, 3), np.uint8) + 120)
    assert heat.heat.ndim == 2
    assert 0 <= heat.probability <= 1
