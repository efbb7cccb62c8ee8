"""Trunk and tail together are the backbone, wherever it is cut."""

import keras
import numpy as np
import pytest

from tl_core.features.partition import cut_tensors, split_backbone

FAMILIES = {
    "VGG16": 32,
    "ResNet50V2": 32,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "ConvNeXtTiny": 32,
    "Xception": 71,
}


@pytest.fixture(scope="module", params=FAMILIES)
def base(request):
    size = FAMILIES[request.param]
    keras.utils.set_random_seed(1)
    builder = getattr(keras.applications, request.param)
    model = builder(weights=None, include_top=False, input_shape=(size, size, 3))
    _enliven(model)
    yield model
    del model


def _enliven(model):
    """Give normalisation layers moving statistics that are not those of a fresh layer."""
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(random.normal(0, 0.02, layer.moving_mean.shape))
            layer.moving_variance.assign(random.uniform(0.01, 0.1, layer.moving_variance.shape))


@pytest.mark.slow
def test_trunk_and_tail_give_what_the_whole_backbone_gives(base):
    images = np.random.default_rng(0).uniform(-1, 1, (2, *base.input_shape[1:])).astype("float32")
    expected = np.asarray(base(images, training=False))
    assert np.abs(expected).max() > 0
    for fraction in (0.3, 0.6, 0.9, 1.0):
        trunk, tail = split_backbone(base, round(fraction * len(base.layers)))
        features = tail(trunk(images, training=False), training=False)
        assert np.abs(np.asarray(features) - expected).max() <= 1e-4 * np.abs(expected).max()


def test_no_frozen_layer_is_in_the_tail(base):
    for frozen in (1, len(base.layers) // 2, len(base.layers) - 1):
        _, tail = split_backbone(base, frozen)
        frozen_weights = {id(weight) for layer in base.layers[:frozen] for weight in layer.weights}
        trained_weights = {id(weight) for layer in base.layers[frozen:] for weight in layer.weights}
        assert not frozen_weights & {id(weight) for weight in tail.weights}
        assert trained_weights == {id(weight) for weight in tail.weights}


def test_cut_is_narrow_and_ends_at_the_features(base):
    assert all(1 <= len(cut_tensors(base, frozen)) <= 6 for frozen in range(len(base.layers) + 1))
    trunk, tail = split_backbone(base, len(base.layers))
    assert [tensor.shape for tensor in trunk.outputs] == [base.output_shape]
    assert tail.count_params() == 0


def test_without_frozen_layers_the_cut_is_the_image(base):
    trunk, _ = split_backbone(base, 0)
    assert [tensor.shape for tensor in trunk.outputs] == [base.input_shape]
