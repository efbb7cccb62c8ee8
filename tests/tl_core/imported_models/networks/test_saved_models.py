"""What a SavedModel may hold before TensorFlow loads it, and what becomes of its graph."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tl_core.imported_models.networks.hub_networks import save_feature_vector, small_network
from tl_core.backbones.make_outlines import outline_of_network, strides_of
from tl_core.errors import ModelFileError
from tl_core.imported_models.networks.graph_layers import feature_map, network_of_graph
from tl_core.imported_models.networks.opening import _Signature
from tl_core.imported_models.networks.saved_model import MOST_FILES, check_files, check_graph


def save(folder, work):
    """A SavedModel whose function does this with the images."""

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32)])
    def infer(inputs):
        return work(inputs)

    tf.saved_model.save(tf.Module(), str(folder), signatures=infer)
    return folder


def mean(images):
    return tf.reduce_mean(images, axis=(1, 2))


def written(images):
    tf.io.write_file("/tmp/written-by-a-network", "x")
    return mean(images)


def read(images):
    return mean(images) + tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)


def printed(images):
    tf.print("x", output_stream="file:///tmp/printed-by-a-network")
    return mean(images)


def python(images):
    return tf.ensure_shape(tf.numpy_function(lambda x: x.mean((1, 2)), [images], tf.float32), [None, 3])


def saved(images):
    tf.raw_ops.SaveV2(prefix="/tmp/saved-by-a-network", tensor_names=["x"], shape_and_slices=[""], tensors=[images])
    return mean(images)


def restored(images):
    found = tf.raw_ops.RestoreV2(prefix="/tmp/x", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])
    return mean(images) + tf.reshape(found[0], [1])


def mapped(images):
    return mean(images) + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[3], memory_region_name="/etc/passwd")


def looked_up(images):
    words = {"new_vocab_file": "/etc/passwd", "old_vocab_file": "/etc/passwd"}
    found, _ = tf.raw_ops.GenerateVocabRemapping(**words, new_vocab_offset=0, num_new_vocab=3)
    return mean(images) + tf.cast(found, tf.float32)


@pytest.mark.parametrize(
    ("work", "operation"),
    [
        (mapped, "ImmutableConst"),
        (looked_up, "GenerateVocabRemapping"),
        (written, "WriteFile"),
        (read, "ReadFile"),
        (printed, "PrintV2"),
        (python, "PyFunc"),
        (saved, "SaveV2"),
        (restored, "RestoreV2"),
    ],
)
def test_a_graph_that_could_do_more_than_compute_is_refused(tmp_path, work, operation):
    with pytest.raises(ModelFileError, match=rf"the operation {operation}.* it is not opened"):
        check_graph(save(tmp_path / "network", work))


def test_a_feature_vector_passes_and_saving_its_own_variables_is_no_harm(tmp_path):
    save_feature_vector(tmp_path / "network")
    assert check_files(tmp_path / "network") > 0
    check_graph(tmp_path / "network")


def test_damaged_and_strange_folders_are_sentences(tmp_path):
    with pytest.raises(ModelFileError, match=r"no saved_model\.pb"):
        check_files(tmp_path)
    folder = save(tmp_path / "network", mean)
    proto = folder / "saved_model.pb"
    whole = proto.read_bytes()
    proto.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match="damaged"):
        check_graph(folder)
    proto.write_bytes(whole)
    (folder / "assets" / "words.txt").write_text("a")
    with pytest.raises(ModelFileError, match="assets"):
        check_files(folder)
    (folder / "assets" / "words.txt").unlink()
    for elsewhere in ("/etc/passwd", "/etc"):
        (folder / "link").symlink_to(elsewhere)
        with pytest.raises(ModelFileError, match="link"):
            check_files(folder)
        (folder / "link").unlink()
    for number in range(MOST_FILES + 1):
        (folder / f"{number}.txt").touch()
    with pytest.raises(ModelFileError, match="more than"):
        check_files(folder)


def rebuilt(folder, size):
    network = _Signature.of(folder)
    return network, network_of_graph(network.graph, network.image, network.output, size)


@pytest.mark.slow
@pytest.mark.parametrize(("signature", "own", "size"), [(True, None, 64), (False, None, 48), (True, 64, 64)])
def test_the_layers_say_what_the_graph_says(tmp_path, signature, own, size):
    infer = save_feature_vector(tmp_path / "network", image_size=own, signature=signature)
    network, whole = rebuilt(tmp_path / "network", size)
    assert network.image_size == own
    assert network.trainable == len(small_network().trainable_variables)
    images = np.random.default_rng(1).random((3, size, size, 3), np.float32)
    expected = np.asarray(infer(images))
    assert np.ptp(expected, axis=0).max() > 0.1  # they tell one picture from another
    np.testing.assert_allclose(np.asarray(whole(images)), expected, rtol=1e-4, atol=1e-5)
    base = feature_map(whole)
    assert base.output_shape == (None, size // 8, size // 8, 12)
    np.testing.assert_allclose(np.asarray(base(images)).mean((1, 2)), expected, rtol=1e-4, atol=1e-5)
    assert strides_of(base) == "uuu"
    assert [title for title, _ in outline_of_network(base)["blocks"]][:2] == ["Stem", "Block 1"]


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    ["MobileNet", "MobileNetV2", "MobileNetV3Small", "ResNet50V2", "InceptionV3", "EfficientNetB0", "DenseNet121"],
)
def test_the_networks_of_the_hub_are_rebuilt(tmp_path, name):
    """With random weights; the published ones have the same operations."""
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(include_top=False, weights=None, pooling="avg")
    infer = save_feature_vector(tmp_path / "network", network, image_size=224)
    check_graph(tmp_path / "network")
    _, whole = rebuilt(tmp_path / "network", 224)
    images = np.random.default_rng(1).random((2, 224, 224, 3), np.float32)
    expected = np.asarray(infer(images))
    assert np.abs(np.asarray(whole(images)) - expected).max() < 1e-3 * np.abs(expected).max()


def test_what_no_layer_stands_for_is_named(tmp_path):
    folder = save(tmp_path / "network", lambda images: mean(tf.cumsum(images, axis=1)))
    with pytest.raises(ModelFileError, match="the operation Cumsum"):
        rebuilt(folder, 32)


def test_what_takes_no_images_or_gives_no_features_is_a_sentence(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None, 7], tf.float32)])
    def of_numbers(inputs):
        return inputs

    tf.saved_model.save(tf.Module(), str(tmp_path / "numbers"), signatures=of_numbers)
    with pytest.raises(ModelFileError, match="square colour images"):
        _Signature.of(tmp_path / "numbers")
    with pytest.raises(ModelFileError, match="the same for every image"):
        rebuilt(save(tmp_path / "constant", lambda images: tf.ones([4, 3])), 32)
    tf.saved_model.save(tf.Module(), str(tmp_path / "nothing"))
    with pytest.raises(ModelFileError, match="no function"):
        _Signature.of(tmp_path / "nothing")
