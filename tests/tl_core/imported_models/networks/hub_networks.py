"""SavedModels in the format of TF Hub's image feature vectors, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def save_feature_vector(
    folder: Path, network: Any = None, image_size: int | None = None, signature: bool = True
) -> Any:
    """A reusable SavedModel: ``obj(images, training)``, with images in [0, 1]; gives the function from images.

    Args:
        network: a Keras model from images to features; None = a small one of convolutions.
        image_size: pixels, where it takes one size alone.
        signature: whether it has ``serving_default``, too.
    """
    import tensorflow as tf

    network = small_network() if network is None else network

    @tf.function(input_signature=[tf.TensorSpec([None, image_size, image_size, 3], tf.float32, name="inputs")])
    def infer(inputs: Any) -> Any:
        return network(2 * inputs - 1, training=False)

    @tf.function(autograph=False)
    def call(inputs: Any, training: bool = False) -> Any:
        return network(2 * inputs - 1, training=training)

    module = tf.train.Checkpoint()  # an object with nothing of its own
    module.network = network
    module.variables = [variable.value for variable in network.variables]
    module.trainable_variables = [variable.value for variable in network.trainable_variables]
    module.regularization_losses = []
    spec = tf.TensorSpec([None, image_size, image_size, 3], tf.float32)
    for training in (True, False):
        call.get_concrete_function(spec, training=training)
    module.__call__ = call
    tf.saved_model.save(module, str(folder), signatures=infer if signature else None)
    return infer


def small_network(size: int | None = None) -> Any:
    """Convolutions, batch norm, a depthwise one, a shortcut and a mean, with weights that are not what they began
    as."""
    import keras
    import numpy as np
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((size, size, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(6.0)(x)
    for number in (1, 2, 3, 4):
        start = x
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"expanded_conv_{number}_depthwise")(x)
        x = layers.BatchNormalization(name=f"expanded_conv_{number}_bn")(x)
        x = layers.Activation("swish")(x)
        x = layers.Conv2D(8, 1, name=f"expanded_conv_{number}_project")(x)
        x = layers.Add()([start, x]) if number % 2 else layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(12, 1, activation="relu", name="top")(x)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    rng = np.random.default_rng(3)
    model.set_weights([value + rng.uniform(0.05, 0.3, value.shape) for value in model.get_weights()])
    return model
