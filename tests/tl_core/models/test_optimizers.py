from __future__ import annotations

import keras
import numpy as np
import pytest

from tl_core.models.optimizers import build_optimizer


def rate_after(optimizer: keras.Optimizer, steps: int) -> float:
    weight = keras.Variable(np.ones(2, np.float32))
    for _ in range(steps):
        optimizer.apply([keras.ops.zeros_like(weight)], [weight])
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("rmsprop", keras.optimizers.RMSprop),
        ("sgd", keras.optimizers.SGD),
    ],
)
def test_every_name_gives_its_optimizer_with_the_given_rate(name: str, kind: type):
    optimizer = build_optimizer(name, 3e-4, 100)
    assert isinstance(optimizer, kind)
    assert rate_after(optimizer, 3) == pytest.approx(3e-4)


def test_sgd_has_momentum():
    assert build_optimizer("sgd", 0.1, 1).momentum == 0.9


def test_cosine_falls_to_zero_over_the_phase():
    half_way, end = (rate_after(build_optimizer("adam", 1e-3, 10, schedule="cosine"), steps) for steps in (5, 10))
    assert half_way == pytest.approx(5e-4, rel=1e-4)
    assert end == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_the_other_schedules_can_be_lowered_from_outside(schedule: str):
    optimizer = build_optimizer("adam", 1e-3, 10, schedule=schedule)
    optimizer.learning_rate = 1e-4
    assert rate_after(optimizer, 5) == pytest.approx(1e-4)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_weight_decay_shrinks_kernels_but_neither_biases_nor_scales(name: str):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    optimizer = build_optimizer(name, 0.5, 10, weight_decay=0.1)
    weights = model.trainable_weights
    for weight in weights:
        weight.assign(np.ones(weight.shape))
    optimizer.apply([keras.ops.zeros_like(weight) for weight in weights], weights)
    smallest = {weight.name: float(keras.ops.min(weight)) for weight in weights}
    assert smallest.pop("kernel") == pytest.approx(1 - 0.5 * 0.1)
    assert set(smallest.values()) == {1.0}


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_weight_decay_is_left_out_where_it_does_not_belong(name: str):
    assert build_optimizer(name, 0.5, 10, weight_decay=0.1).weight_decay is None


BY_KERAS = {
    "adam": lambda rate: keras.optimizers.Adam(rate),
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.02),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate),
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, weight_decay=0.02),
}


@pytest.mark.parametrize("name", BY_KERAS)
def test_the_fused_step_computes_what_keras_computes(name: str):
    plain = BY_KERAS[name](keras.optimizers.schedules.CosineDecay(3e-3, 20))
    start = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    ends, states = [], []
    for optimizer in (build_optimizer(name, 3e-3, 20, schedule="cosine", weight_decay=0.02), plain):
        random, weight = np.random.default_rng(1), keras.Variable(start)
        for _ in range(20):
            optimizer.apply([keras.ops.convert_to_tensor(random.normal(size=(5, 3)).astype("float32"))], [weight])
        ends.append(weight.numpy())
        states.append([variable.numpy() for variable in optimizer.variables])
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5, atol=1e-7)
    assert np.abs(ends[0] - start).max() > 1e-3
    for mine, theirs in zip(*states, strict=True):  # a checkpoint of either goes on with the other
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-7)
