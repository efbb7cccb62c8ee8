"""A Keras model as a graph for TensorFlow.js: the same function, of operations that it knows; or a sentence."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_core.errors import ExportError
from tl_core.export.browser import graph as graph_module
from tl_core.export.browser.graph import optimized, require_computable
from tl_core.export.browser.graph_model import write_graph_model
from tl_core.export.browser.library import known_operations
from tl_core.export.building import freeze

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def as_before():
    """`freeze` is for a process that ends after it."""
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def known(tensorflow_js):
    return known_operations(tensorflow_js)


def graph_of(*layers):
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255), *layers])
    for layer in model.layers:  # as after a training, not as at its start
        weights = [np.random.default_rng(at).uniform(0.2, 0.9, value.shape) for at, value in enumerate(layer.weights)]
        layer.set_weights(weights)
    frozen = freeze(model)
    outputs = [tensor.op.name for tensor in frozen.outputs]
    return model, frozen, optimized(frozen.graph.as_graph_def(), outputs)


def computed(graph, frozen):
    whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    ends = [[whole.graph.as_graph_element(one.name) for one in group] for group in (frozen.inputs, frozen.outputs)]
    return whole.prune(*ends)(tf.constant(IMAGES))[0].numpy()


def operations(graph):
    return [node.op for node in graph.node]


def test_batch_normalization_becomes_a_part_of_the_convolutions_before_it(known):
    model, frozen, graph = graph_of(
        keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(6.0),
        keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(6.0),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(4, activation="softmax"),
    )
    np.testing.assert_allclose(computed(graph, frozen), model.predict(IMAGES, verbose=0), atol=1e-5)
    require_computable(graph, known, "This")
    assert operations(graph).count("Mul") <= 1, "that of the scaling is left"
    assert not {"Rsqrt", "Sub"} & set(operations(graph))
    assert not [name for node in graph.node for name in node.input if name.startswith("^")]


def test_what_tensorflow_js_has_not_is_written_with_what_it_has(known):
    """As ConvNeXt has it: a group for each channel, and gelu."""
    model, frozen, graph = graph_of(
        keras.layers.Conv2D(6, 3, padding="same", groups=3),
        keras.layers.Conv2D(6, 3, padding="same", groups=6, activation="gelu"),
        keras.layers.GlobalAveragePooling2D(),
    )
    np.testing.assert_allclose(computed(graph, frozen), model.predict(IMAGES, verbose=0), rtol=1e-4)
    require_computable(graph, known, "This")
    assert operations(graph).count("DepthwiseConv2dNative") == 2
    assert "Erfc" not in operations(graph)


UNFIT = {
    "of its operations: Conv2D in groups": lambda: [keras.layers.Conv2D(8, 1), keras.layers.Conv2D(8, 3, groups=2)],
    "of its operations: Lgamma": lambda: [keras.layers.Lambda(tf.math.lgamma)],
    "of these types: float16": lambda: [keras.layers.Lambda(in_16_bits)],
}


def in_16_bits(image):
    return tf.cast(tf.cast(image, tf.float16) * 3, tf.float32)


@pytest.mark.parametrize("words", UNFIT)
def test_what_it_cannot_compute_is_refused_in_a_sentence(known, words):
    *_, graph = graph_of(*UNFIT[words]())
    with pytest.raises(
        ExportError, match=f"^It cannot run in a web page, because .*{words}. Choose another"
    ) as caught:
        require_computable(graph, known, "It")
    assert "\n" not in str(caught.value)


def test_what_is_too_large_is_refused(known, monkeypatch):
    monkeypatch.setattr(graph_module, "MOST_BYTES", 1000)
    *_, graph = graph_of(keras.layers.Flatten(), keras.layers.Dense(4))
    with pytest.raises(ExportError, match="is too large for a web page"):
        require_computable(graph, known, "This")


def test_the_files_are_as_tensorflow_js_reads_them(tmp_path, monkeypatch):
    monkeypatch.setattr("tl_core.export.browser.graph_model.SHARD", 4096)
    _, frozen, graph = graph_of(keras.layers.Flatten(), keras.layers.Dense(4))
    write_graph_model(graph, frozen.inputs[0], {"probabilities": frozen.outputs[0]}, tmp_path / "model")
    model = json.loads((tmp_path / "model" / "model.json").read_text())
    (group,) = model["weightsManifest"]
    content = b"".join((tmp_path / "model" / name).read_bytes() for name in group["paths"])
    assert group["paths"] == [f"group1-shard{number}of4.bin" for number in (1, 2, 3, 4)]
    widths = {"float32": 4, "int32": 4, "bool": 1}
    assert len(content) == sum(widths[one["dtype"]] * int(np.prod(one["shape"])) for one in group["weights"])
    constants = {node["name"]: node for node in model["modelTopology"]["node"] if node["op"] == "Const"}
    assert set(constants) == {one["name"] for one in group["weights"]}
    assert {*constants[next(iter(constants))]["attr"]["value"]["tensor"]} == {"dtype", "tensorShape"}
    assert model["format"] == "graph-model"
    assert model["signature"]["inputs"]["image"]["tensorShape"]["dim"][1:] == [
        {"size": size} for size in ("16", "16", "3")
    ]
    assert model["modelTopology"]["versions"]["producer"] > 0
