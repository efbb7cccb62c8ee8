"""How batches get to the trained part: one by one, or a few in one call, with the same result."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from tl_core.features.partition import TrainedPart
from tl_core.models.optimizers import build_optimizer
from tl_core.training import loops
from tl_core.training.epoch_runner import EpochRunner, NotFinite
from tl_core.training.inputs import CachedFeatures, Subset
from tl_core.training.losses import Loss

IMAGES, CLASSES, BATCH = 97, 3, 4  # 24 whole batches and one of a single image


def fitter_and_examples():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(5, "relu", kernel_regularizer="l2")(inputs))
    head = keras.Model(inputs, keras.layers.Dense(CLASSES, "softmax")(hidden))
    rng = np.random.default_rng(0)
    features = rng.normal(size=(IMAGES, 6)).astype(np.float32)
    labels = rng.integers(0, CLASSES, IMAGES).astype(np.int32)
    part = TrainedPart((), head)
    fitter = EpochRunner(
        part, build_optimizer("adam", 0.01, 50, schedule="cosine"), Loss("softmax", CLASSES, 0.05), lambda: False
    )
    examples = Subset(
        CachedFeatures([features]), np.arange(IMAGES), labels, rng.uniform(0.5, 2, IMAGES).astype("float32")
    )
    return fitter, part, examples


def learn(grouped_from, monkeypatch):
    monkeypatch.setattr(loops, "_GROUPED_FROM", grouped_from)
    fitter, part, examples = fitter_and_examples()
    told = []
    for epoch in range(3):
        order = np.random.default_rng(epoch).permutation(IMAGES)
        fitter.train_epoch(examples, order, BATCH, told.append)
    return told, [np.array(variable.value) for variable in part.variables]


def test_batches_in_one_call_teach_the_same_as_one_by_one(monkeypatch):
    alone, alone_weights = learn(10**9, monkeypatch)
    together, together_weights = learn(2, monkeypatch)
    assert [batches.done for batches in together] == [*range(1, 26)] * 3
    assert [batches.images for batches in together] == [batches.images for batches in alone] == [*[4] * 24, 1] * 3
    assert [batches.loss for batches in together] == pytest.approx([batches.loss for batches in alone], rel=1e-5)
    assert [batches.accuracy for batches in together] == [batches.accuracy for batches in alone]
    for one, other in zip(alone_weights, together_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_broken_loss_is_told_at_its_batch_also_inside_a_group(monkeypatch):
    monkeypatch.setattr(loops, "_GROUPED_FROM", 2)
    fitter, _, examples = fitter_and_examples()
    told = []
    fitter.train_epoch(examples, np.arange(IMAGES), BATCH, told.append)
    told.clear()
    examples.weights[30] = np.nan  # in the 8th batch, the third of its group
    with pytest.raises(NotFinite):
        fitter.train_epoch(examples, np.arange(IMAGES), BATCH, told.append)
    assert [batches.done for batches in told] == list(range(1, 8))


def test_other_features_at_the_same_place_in_memory_are_not_mistaken(monkeypatch):
    """What was let go of may be followed by something else that has its identity."""
    fitter, _, subset = fitter_and_examples()
    seen = []
    for shift in range(5):
        features = CachedFeatures([np.full((IMAGES, 6), shift, np.float32)])
        seen.append(fitter.evaluate(replace(subset, inputs=features)).loss)
        del features
    assert len(set(seen)) == 5
