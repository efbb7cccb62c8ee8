"""Compiled networks compute what Keras computes, on every runtime."""

import gc
import subprocess
import sys
import textwrap
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_core.features import compiled
from tl_core.features.compiled import compile_network
from tl_core.machine.device import Device

CPU = Device("cpu", "test", "float32", "float32")
BFLOAT16 = Device("cpu", "test", "float32", "bfloat16")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 3))
    wide = keras.layers.Conv2D(8, 3, activation="relu", padding="same")(image)
    narrow = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(wide))
    return keras.Model(image, [wide, narrow])


@pytest.fixture(scope="module")
def forward(model):
    return lambda images: model(tf.cast(images, tf.float32) / 255.0, training=False)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)


def assert_same(outputs, expected):
    assert len(outputs) == len(expected)
    for output, want in zip(outputs, expected, strict=True):
        assert np.abs(output - np.asarray(want)).max() <= 1e-4 * np.abs(want).max()


@pytest.mark.parametrize("batch_size", [4, 7, 16, None])
def test_openvino_agrees_with_keras_for_any_number_of_images(forward, images, batch_size):
    network = compile_network(forward, 32, CPU, batch_size=batch_size)
    assert network.text == "OpenVINO, float32"
    assert_same(network(images), forward(images))


def test_inner_values_do_not_become_outputs(images):
    image = keras.Input((32, 32, 3))
    inner = keras.layers.Conv2D(8, 3, activation="swish")(image)  # has a gradient of its own, as in EfficientNet
    last = keras.layers.Activation("swish")(keras.layers.Conv2D(4, 3)(inner))
    model = keras.Model(image, [keras.layers.GlobalAveragePooling2D()(last), inner])

    def forward(images):
        return model(tf.cast(images, tf.float32), training=False)

    network = compile_network(forward, 32, CPU, batch_size=4)
    assert network.text == "OpenVINO, float32"
    assert_same(network(images), forward(images))


def test_a_network_outlives_the_model_it_was_made_from(images):
    def compiled_and_expected():
        keras.utils.set_random_seed(5)
        image = keras.Input((32, 32, 3))
        features = keras.layers.Conv2D(256, 5, activation="relu")(image)
        model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(64, 3)(features)))

        def forward(batch):
            return [model(tf.cast(batch, tf.float32) / 255.0, training=False)]

        return compile_network(forward, 32, CPU, batch_size=None), [np.array(forward(images)[0])]

    network, expected = compiled_and_expected()
    gc.collect()
    taken = [np.full(size, 7.0, np.float32) for size in range(1_000, 500_000, 1_000)]  # whatever memory was freed
    assert_same(network(images), expected)
    assert len(taken) == 499


def test_openvino_gets_a_copy_of_the_weights(forward, images, monkeypatch):
    """With shared weights a network answers rubbish as soon as the memory of its Keras model is used again.

    When that happens depends on the allocator, so the test looks at what is asked for.
    """
    openvino = compiled.import_openvino()
    convert, asked = openvino.convert_model, []
    monkeypatch.setattr(openvino, "convert_model", lambda graph, **how: asked.append(how) or convert(graph, **how))
    network = compile_network(forward, 32, CPU)
    assert [how["share_weights"] for how in asked] == [False]
    assert_same(network(images), forward(images))


def test_works_in_a_thread_that_is_not_the_main_one(forward, images):
    results = []
    thread = threading.Thread(target=lambda: results.append(compile_network(forward, 32, CPU)(images)))
    thread.start()
    thread.join()
    assert_same(results[0], forward(images))


@pytest.mark.parametrize("at_once", [1, 2])
def test_many_threads_may_use_one_network(forward, images, at_once):
    network = compile_network(forward, 32, CPU, batch_size=None, at_once=at_once)
    assert network.at_once == at_once
    expected = forward(images)
    answers = {}

    def ask(number):
        answers[number] = [network(images[number : number + 1]) for _ in range(20)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, given in answers.items():
        for outputs in given:
            assert_same(outputs, [output[number : number + 1] for output in expected])


def test_without_openvino_it_says_so_once_and_works(forward, images, monkeypatch):
    monkeypatch.setattr(compiled, "import_openvino", lambda: None)
    notes = []
    network = compile_network(forward, 32, CPU, note=notes.append)
    assert network.text == "TensorFlow"
    assert_same(network(images), forward(images))
    assert len(notes) == 1
    assert "not installed" in notes[0]


def test_a_network_openvino_cannot_convert_runs_on_tensorflow(images):
    def unknown(batch):
        return [tf.py_function(lambda values: values, [tf.cast(batch, tf.float32)], tf.float32)]

    notes = []
    network = compile_network(unknown, 32, CPU, note=notes.append)
    assert network.text == "TensorFlow"
    assert np.array_equal(network(images)[0], images.astype("float32"))
    assert len(notes) == 1


def test_bfloat16_has_to_prove_itself_on_the_first_batch(forward, images, monkeypatch):
    notes = []
    monkeypatch.setattr(compiled, "CLOSE_ENOUGH", 1.1)
    network = compile_network(forward, 32, BFLOAT16, sample=images, note=notes.append)
    assert network.text == "OpenVINO, float32"
    monkeypatch.setattr(compiled, "CLOSE_ENOUGH", 0.99)
    network = compile_network(forward, 32, BFLOAT16, sample=images, note=notes.append)
    assert network.text == "OpenVINO, bfloat16"
    assert len(notes) == 2


@pytest.mark.slow
def test_openvino_neither_reports_nor_leaves_an_id_in_the_home_folder(tmp_path):
    program = """
        import socket, sys

        def refuse(*arguments):
            raise AssertionError(f"something opened a connection: {arguments}")

        socket.socket.connect = refuse
        import tensorflow as tf
        from tl_core.features.openvino_runtime import import_openvino

        openvino = import_openvino()
        graph = tf.function(lambda x: x + 1.0, input_signature=[tf.TensorSpec((1, 2))])
        openvino.convert_model(graph.get_concrete_function())
        assert sys.modules["openvino_telemetry"] is None
        print("converted")
    """
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "converted" in done.stdout
    assert not (tmp_path / "intel").exists()
