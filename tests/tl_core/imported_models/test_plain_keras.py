"""Models of plain Keras, as its guide and TensorFlow's tutorials make them, are opened and understood."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from tests.tl_core.imported_models.networks.test_keras_trunk import SIZE, guide, small_base, tutorial
from tests.tl_core.small_trainings import png
from tl_core.backbones.networks import SCALINGS
from tl_core.errors import ModelFileError
from tl_core.imported_models.check.model_file import check_model_file
from tl_core.imported_models.importing import import_model
from tl_core.imported_models.model_server import answerer_of, close_imported_model
from tl_core.imported_models.store import choose_scaling, load_imported_model
from tl_core.inference.predict import predict_with
from tl_core.storage.workspace import Workspace

PIXELS = np.random.default_rng(5).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
FIVE = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def five_logits(scaled: bool):
    """https://www.tensorflow.org/tutorials/images/classification: scores of five flowers."""
    parts = [layers.Rescaling(1 / 255)] if scaled else []
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), *parts, layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)]
    )


@pytest.fixture(autouse=True)
def closed_afterwards():
    yield
    close_imported_model()


@pytest.fixture
def brought(tmp_path):
    def bring(model, classes):
        model.compile("adam", "binary_crossentropy")
        model.save(tmp_path / "model.keras")
        return import_model(
            Workspace(tmp_path / "workspace").ensure(), tmp_path / "model.keras", "model.keras", classes
        )

    return bring


def probabilities(model):
    (answer,) = predict_with(answerer_of(model), [png(PIXELS)])
    given = dict(answer.ranked)
    return np.array([given[name] for name in model.classes])


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


@pytest.mark.slow
def test_one_score_of_the_guide_is_the_probability_of_the_second_class(brought):
    network = guide(small_base())
    model = brought(network, ("cat", "dog"))
    assert (model.outputs, model.scaling, model.recognised) == (1, "built_in", True)
    score = float(np.asarray(network(PIXELS[None].astype(np.float32), training=False))[0, 0])
    expected = 1 / (1 + np.exp(-score))
    np.testing.assert_allclose(probabilities(model), [1 - expected, expected], atol=1e-4)


@pytest.mark.slow
def test_the_model_of_the_tutorial_answers_with_its_sigmoid(brought):
    network = tutorial(small_base())
    model = brought(network, ("cat", "dog"))
    expected = float(np.asarray(network(PIXELS[None].astype(np.float32), training=False))[0, 0])
    np.testing.assert_allclose(probabilities(model), [1 - expected, expected], atol=1e-4)


@pytest.mark.slow
def test_a_model_whose_images_were_scaled_outside_is_asked_in_every_range_until_one_is_chosen(brought):
    network = five_logits(scaled=False)
    model = brought(network, FIVE)
    assert (model.scaling, model.recognised) == ("", False)
    ranges = {"0 to 1": PIXELS / 255, "-1 to 1": PIXELS / 127.5 - 1, "0 to 255": PIXELS}
    for label, pixels in ranges.items():
        scores = np.asarray(network(pixels[None].astype(np.float32)), np.float64)[0]
        given = probabilities(replace(model, scaling=SCALINGS[label]))
        np.testing.assert_allclose(given, softmax(scores), atol=2e-3)
    workspace = Workspace(model.path.parents[1])
    choose_scaling(workspace, model, "zero_to_one")
    assert load_imported_model(workspace, model.id).scaling == "zero_to_one"


@pytest.mark.parametrize(
    ("first", "scaling"),
    [
        (layers.Rescaling(1 / 255), "built_in"),
        (layers.Rescaling(2.0, offset=-1), "zero_to_one"),
        (layers.Rescaling(0.7), None),
        (layers.Activation("relu"), None),
    ],
)
def test_the_range_is_read_from_the_first_layers(first, scaling, tmp_path):
    parts = [
        keras.Input((SIZE, SIZE, 3)),
        first,
        layers.Conv2D(2, 3),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3),
    ]
    keras.Sequential(parts).save(tmp_path / "model.keras")
    assert check_model_file(tmp_path / "model.keras").scaling == scaling


@pytest.mark.parametrize(
    ("last", "outputs", "logits"),
    [
        ([layers.Dense(1)], 1, True),
        ([layers.Dense(5)], 5, True),
        ([layers.Dense(5), layers.Activation("softmax")], 5, False),
        ([layers.Dense(1), layers.Activation("sigmoid")], 1, False),
        ([layers.Dense(5, activation="softmax")], 5, False),
    ],
)
def test_scores_are_told_from_probabilities(last, outputs, logits, tmp_path):
    keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.GlobalAveragePooling2D(), *last]).save(
        tmp_path / "model.keras"
    )
    found = check_model_file(tmp_path / "model.keras")
    assert (found.outputs, found.logits) == (outputs, logits)


@pytest.mark.parametrize("last", [layers.Dense(3, activation="relu"), layers.Dense(3, activation="sigmoid")])
def test_what_is_neither_is_refused(last, tmp_path):
    keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.GlobalAveragePooling2D(), last]).save(
        tmp_path / "model.keras"
    )
    with pytest.raises(ModelFileError, match="one probability or score per class"):
        check_model_file(tmp_path / "model.keras")
