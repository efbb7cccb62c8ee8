"""An earlier, narrower cut is taken where it pays, and only there."""

import keras
import pytest

from tl_core.features.choose_cut import choose_cut


@pytest.fixture(scope="module")
def base():
    """Two blocks, narrow between them and wide inside, as in an inverted residual network."""
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same")(image)
    for _ in range(2):
        wide = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(96, 1)(x)))
        wide = keras.layers.DepthwiseConv2D(3, padding="same")(wide)
        x = keras.layers.Conv2D(8, 1)(wide)
    return keras.Model(image, x)


def names(base, layers):
    return [type(layer).__name__ for layer in base.layers[:layers]]


def test_between_blocks_the_cut_stays_at_the_boundary(base):
    for boundary in (2, 7):
        choice = choose_cut(base, boundary)
        assert choice.layers == boundary
        assert choice.text is None


def test_inside_a_block_the_cut_goes_back_to_its_beginning(base):
    choice = choose_cut(base, 5)  # behind the activation: 96 channels
    assert choice.layers == 2  # behind the first convolution: 8 channels
    assert choice.cached_bytes * 12 == choice.cached_bytes_at_boundary
    assert "0.01 MB per image in place of 0.10 MB" in choice.text


def test_expensive_layers_are_not_computed_again():
    image = keras.Input((16, 16, 64))
    base = keras.Model(image, keras.layers.Conv2D(128, 5, padding="same")(image))
    assert choose_cut(base, 2).layers == 2
