from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from tests.tl_core.models.parameters import count_parameters
from tl_core.config import HeadConfig
from tl_core.errors import ConfigError, NotEnoughDataError
from tl_core.models.head import build_head

SHAPE = (2, 3, 5)
HEADS = [
    HeadConfig(
        pooling=pooling,
        feature_normalization=normalization,
        dense_units=units,
        batch_norm=batch_norm,
        output=output,
        dropout=dropout,
    )
    for pooling, normalization, units, batch_norm, (output, dropout) in itertools.product(
        ["average", "max", "both", "flatten"],
        ["none", "batch", "layer"],
        [(), (4,), (7, 3)],
        [False, True],
        [("softmax", 0.2), ("sigmoid", 0.0)],
    )
]


def kinds(head: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in head.layers[1:]]


@pytest.mark.parametrize("config", HEADS, ids=repr)
def test_the_built_head_has_the_parameters_that_its_configuration_counts(config: HeadConfig):
    head = build_head(config, SHAPE, 2)
    assert count_parameters(head) == config.parameters(SHAPE, 2)
    assert head.output_shape == (None, 1 if config.output == "sigmoid" else 2)


@pytest.mark.parametrize("pooling", ["average", "both"])
def test_a_head_pools_the_maps_of_several_blocks(pooling: str):
    config = HeadConfig(pooling=pooling, blocks=3, feature_normalization="layer", dense_units=(4,))
    head = build_head(config, [SHAPE, (4, 6, 7), (8, 12, 9)], 2)
    assert count_parameters(head) == config.parameters(SHAPE, 2, (7, 9, 100))
    maps = [np.random.default_rng(0).random((2, *shape), np.float32) for shape in (SHAPE, (4, 6, 7), (8, 12, 9))]
    pooled = keras.Model(head.inputs, head.get_layer("pooling").output)(maps)
    expected = [
        number for found in maps for number in ([found.mean((1, 2))] + [found.max((1, 2))] * (pooling == "both"))
    ]
    np.testing.assert_allclose(pooled, np.concatenate(expected, axis=1), rtol=1e-5)


def test_flattening_several_blocks_is_refused():
    with pytest.raises(ConfigError, match="last block alone"):
        HeadConfig(pooling="flatten", blocks=2)


def test_layers_stand_in_the_documented_order():
    full = HeadConfig(feature_normalization="batch", dense_units=(8, 4), batch_norm=True, dropout=0.5)
    hidden = ["Dense", "BatchNormalization", "Dropout"]
    assert kinds(build_head(full, SHAPE, 3)) == [
        "GlobalAveragePooling2D",
        "BatchNormalization",
        *hidden,
        *hidden,
        "Dense",
    ]
    plain = HeadConfig(feature_normalization="layer", dropout=0.2)
    assert kinds(build_head(plain, SHAPE, 3)) == ["GlobalAveragePooling2D", "LayerNormalization", "Dropout", "Dense"]
    assert kinds(build_head(HeadConfig(dropout=0.0, pooling="flatten"), SHAPE, 3)) == ["Flatten", "Dense"]


def test_softmax_gives_probabilities_that_add_up_to_one():
    features = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)
    probabilities = keras.ops.convert_to_numpy(build_head(HeadConfig(dense_units=(8,)), SHAPE, 5)(features))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_penalty_is_on_the_kernels_of_the_hidden_layers_or_of_the_output():
    head = build_head(HeadConfig(dense_units=(8, 4), l2=0.01), SHAPE, 3)
    hidden = [layer for layer in head.layers if isinstance(layer, keras.layers.Dense)][:-1]
    expected = sum(0.01 * float(keras.ops.sum(layer.kernel**2)) for layer in hidden)
    assert float(sum(head.losses)) == pytest.approx(expected, rel=1e-5)
    assert build_head(HeadConfig(dense_units=(8,)), SHAPE, 3).losses == []
    linear = build_head(HeadConfig(l2=0.01), SHAPE, 3)
    kernel = linear.get_layer("probabilities").kernel
    assert float(sum(linear.losses)) == pytest.approx(0.01 * float(keras.ops.sum(kernel**2)), rel=1e-5)


@pytest.mark.parametrize("activation", ["relu", "gelu", "linear"])
def test_hidden_layers_have_the_chosen_activation(activation: str):
    dense = build_head(HeadConfig(dense_units=(8,), activation=activation), SHAPE, 3).get_layer("dense_1")
    assert dense.activation.__name__ == activation


def test_probabilities_stay_in_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        head = build_head(HeadConfig(dense_units=(8,)), SHAPE, 3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert head.get_layer("dense_1").compute_dtype == "bfloat16"
    assert head.output.dtype == "float32"


def test_sigmoid_with_more_than_two_classes_is_refused():
    with pytest.raises(ConfigError, match="this dataset has 3: choose softmax"):
        build_head(HeadConfig(output="sigmoid"), SHAPE, 3)


def test_one_class_is_refused():
    with pytest.raises(NotEnoughDataError, match="at least 2 classes"):
        build_head(HeadConfig(), SHAPE, 1)
