"""The backbone in a Keras classifier of one's own: of the guide, of the tutorial, of this dashboard, and plain."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from tl_core.errors import ModelFileError
from tl_core.imported_models.check.model_file import check_model_file
from tl_core.imported_models.networks.keras_trunk import scaling_of, trunk_of
from tl_core.models.classifier import split_classifier

SIZE = 64
IMAGES = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3)).astype(np.float32)


def small_base():
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(4, 3, strides=2, name="inner_conv")(image)
    return keras.Model(image, layers.Add()([x, layers.BatchNormalization()(x)]), name="base")


def guide(base):
    """https://keras.io/guides/transfer_learning/: one logit, scaled inside."""
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.RandomRotation(0.1)(layers.RandomFlip("horizontal")(image))
    x = base(layers.Rescaling(1 / 127.5, offset=-1)(x), training=False)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(1)(x))


def tutorial(base):
    """https://www.tensorflow.org/tutorials/images/transfer_learning: `preprocess_input` and a sigmoid."""
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.2)])(image)
    x = base(keras.applications.mobilenet_v2.preprocess_input(x), training=False)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(x))


@pytest.mark.parametrize("make", [guide, tutorial])
def test_the_models_of_the_lessons_give_their_backbone_and_say_their_scale(make, tmp_path):
    base = small_base()
    make(base).save(tmp_path / "model.keras")
    assert check_model_file(tmp_path / "model.keras", classifier=False).image_size == SIZE
    trunk = trunk_of(keras.models.load_model(tmp_path / "model.keras"))
    assert scaling_of(trunk) == "built_in"
    assert not [layer for layer in trunk.layers if isinstance(layer, keras.Model)]
    expected = np.asarray(base(IMAGES / 127.5 - 1, training=False))
    np.testing.assert_allclose(np.asarray(trunk(IMAGES, training=False)), expected, rtol=1e-4, atol=1e-4)


def test_a_plain_model_whose_images_are_scaled_outside_does_not_say_its_scale():
    parts = [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)]
    model = keras.Sequential(parts)
    trunk = trunk_of(model)
    assert scaling_of(trunk) is None
    assert trunk.output_shape == (None, SIZE - 2, SIZE - 2, 4)
    np.testing.assert_allclose(np.asarray(trunk(IMAGES)), np.asarray(model.layers[0](IMAGES)), rtol=1e-5)


def test_the_model_of_an_earlier_run_is_the_start_of_another(shared_run):
    model = keras.models.load_model(shared_run.folder.model_file)
    parts = split_classifier(model)
    trunk = trunk_of(model)
    images = IMAGES[:, :32, :32]
    expected = np.asarray(parts.base(parts.preprocess(images), training=False))
    np.testing.assert_allclose(np.asarray(trunk(images, training=False)), expected, rtol=1e-4, atol=1e-3)
    assert scaling_of(trunk) == "built_in"
    assert len(trunk.layers) > len(parts.base.layers)


def test_without_convolutions_there_is_no_backbone():
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ModelFileError, match="no convolutions"):
        trunk_of(model)
