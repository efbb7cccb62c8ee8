"""A head may look at several blocks, and at the mirror image: the halves of such a model are the model, too."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_core.config import HeadConfig, TrainingConfig
from tl_core.features.partition import partition_classifier
from tl_core.models.classifier import Classifier, build_classifier, split_classifier

LOOKS = {
    "three blocks": HeadConfig(blocks=3, pooling="both", dropout=0.0),
    "mirrored": HeadConfig(mirrored=True, dropout=0.0),
    "mirrored blocks": HeadConfig(blocks=2, pooling="max", mirrored=True, dense_units=(6,), dropout=0.0),
    "mirrored map": HeadConfig(pooling="flatten", mirrored=True, dropout=0.0),
}


def build(head: HeadConfig, backbone: str = "mobilenet_v2") -> Classifier:
    keras.utils.set_random_seed(3)
    return build_classifier(TrainingConfig(backbone=backbone, weights="random", image_size=64, head=head), 3)


@pytest.fixture(scope="module", params=LOOKS)
def classifier(request) -> Classifier:
    return build(LOOKS[request.param])


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)


@pytest.mark.slow
def test_both_halves_give_what_the_model_gives_wherever_it_is_cut(classifier, images):
    expected = np.asarray(classifier.model(images.astype(np.float32)))
    np.testing.assert_allclose(classifier(images.astype(np.float32)), expected, atol=1e-6)
    layers = len(classifier.base.layers)
    for frozen in (layers, layers - 5, layers // 2, 0):
        partition = partition_classifier(classifier, frozen)
        inputs = [tf.constant(images)] if partition.frozen is None else partition.frozen(tf.constant(images))
        assert [tuple(tensor.shape[1:]) for tensor in inputs] == [spec.shape for spec in partition.outputs]
        answers = partition.trained([tf.cast(tensor, tf.float32) for tensor in inputs], training=False)
        np.testing.assert_allclose(answers, expected, atol=1e-5)


@pytest.mark.slow
def test_what_a_head_looks_at_is_part_of_what_its_features_are_known_by():
    names = {partition_classifier(build(head), 1000).name for head in LOOKS.values()}
    names |= {partition_classifier(build(HeadConfig(pooling=pooling)), 1000).name for pooling in ("average", "max")}
    assert len(names) == len(LOOKS) + 2
    assert "all layers, GlobalAveragePooling2D" in names, "features that were kept before are still found"


@pytest.mark.slow
def test_a_saved_one_is_found_again_with_its_layers_in_their_order(classifier, images, tmp_path):
    classifier.model.save(tmp_path / "best.keras")
    found = split_classifier(keras.models.load_model(tmp_path / "best.keras"))
    assert found.mirrored == classifier.mirrored
    assert len(found.features.outputs) == len(classifier.features.outputs)
    for part in ("base", "features"):
        names = [layer.name for layer in getattr(found, part).layers]
        assert names == [layer.name for layer in classifier.base.layers]
    pictures = images.astype(np.float32)
    np.testing.assert_allclose(found(pictures), classifier.model(pictures), atol=1e-6)


def test_an_image_and_its_mirror_image_get_the_same_answer(images):
    model = build(HeadConfig(mirrored=True, blocks=2, pooling="both")).model
    pictures = images.astype(np.float32)
    np.testing.assert_allclose(model(pictures), model(pictures[:, :, ::-1]), atol=1e-5)
