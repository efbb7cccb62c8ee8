"""The embedded networks know what is on two photographs."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from skimage import data

from tl_core.backbones.build import build_backbone
from tl_core.backbones.efficientnet_lite import build_efficientnet_lite, load_lite_weights
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.scaling import build_scaling
from tl_core.backbones.torch_checkpoint import read_checkpoint
from tl_core.backbones.weights import weights_status
from tl_core.data.normalise import resize_image
from tl_core.errors import WeightsUnavailableError

LITE = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
EGYPTIAN_CAT, ESPRESSO = 285, 967  # ImageNet's class numbers


def published_network(name: str) -> keras.Model:
    """The network with its 1000-class head: raw RGB images in, probabilities in ImageNet's order out."""
    backbone = get_backbone(name)
    status = weights_status(backbone)
    assert status.here
    assert status.path is not None
    base = build_efficientnet_lite(backbone, backbone.image_size)
    load_lite_weights(base, status.path, backbone.weights_hash or "")
    image = keras.Input(base.input_shape[1:])
    x = base(build_scaling(backbone.scaling, backbone.image_size)(image), training=False)
    output = keras.layers.Dense(1000, activation="softmax")
    model = keras.Model(image, output(keras.layers.GlobalAveragePooling2D()(x)))
    tensors = read_checkpoint(status.path, backbone.weights_hash or "")
    output.set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    return model


@pytest.mark.parametrize("name", LITE)
def test_knows_a_cat_and_a_cup_of_coffee(name: str):
    backbone, classifier = get_backbone(name), published_network(name)
    assert classifier.count_params() == pytest.approx(backbone.parameters, rel=0.015)
    images = np.stack([resize_image(image, backbone.image_size) for image in (data.chelsea(), data.coffee())])
    probabilities = keras.ops.convert_to_numpy(classifier(images.astype(np.float32)))
    assert probabilities.argmax(axis=1).tolist() == [EGYPTIAN_CAT, ESPRESSO]
    assert probabilities.max(axis=1).min() > 0.65


def test_the_default_is_as_sure_as_it_was_when_first_tried():
    classifier = published_network("efficientnet_lite0")
    image = resize_image(data.chelsea(), 224)[np.newaxis].astype(np.float32)
    assert float(classifier(image)[0, EGYPTIAN_CAT]) == pytest.approx(0.77, abs=0.04)


def test_pretrained_features_differ_from_random_ones_and_are_the_same_every_time():
    image = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    first, second = (build_backbone("efficientnet_lite0", 64)(image) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, build_backbone("efficientnet_lite0", 64, "random")(image))


def test_weights_of_another_network_are_refused():
    lite1 = get_backbone("efficientnet_lite1")
    base = build_backbone("efficientnet_lite0", 64, "random")
    with pytest.raises(WeightsUnavailableError, match="does not fit this backbone at its layer “block3a"):
        load_lite_weights(base, weights_status(lite1).path, lite1.weights_hash)  # type: ignore[arg-type]
