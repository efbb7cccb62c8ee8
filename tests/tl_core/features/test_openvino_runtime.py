"""Converting a network takes nothing from the log of the process."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
import tensorflow as tf

import tl_core
from tl_core.features.openvino_runtime import convert, import_openvino


@pytest.fixture
def openvino():
    module = import_openvino()
    assert module is not None
    return module


@pytest.fixture
def root():
    """The root logger; afterwards everything is as it was."""
    root = logging.getLogger()
    level, handlers, filters = root.level, root.handlers, root.filters
    before = list(handlers), list(filters)
    root.setLevel(logging.WARNING)
    yield root
    root.setLevel(level)
    root.handlers, root.filters = handlers, filters
    root.handlers[:], root.filters[:] = before


def graph(forward=lambda batch: batch + 1.0):
    return tf.function(forward, input_signature=[tf.TensorSpec((1, 2))]).get_concrete_function()


def unknown(batch):
    return tf.py_function(lambda values: values, [batch], tf.float32)


def test_a_failed_conversion_leaves_the_log_as_it_was(openvino, root):
    with pytest.raises(Exception, match="EagerPyFunc"):
        openvino.convert_model(graph(unknown))
    assert root.level == logging.ERROR, "OpenVINO by itself leaves it without warnings"
    root.setLevel(logging.WARNING)
    with pytest.raises(Exception, match="EagerPyFunc"):
        convert(openvino, graph(unknown))
    assert root.level == logging.WARNING


def test_the_log_works_during_a_conversion(openvino, root, monkeypatch):
    came, real = logging.NullHandler(), openvino.convert_model
    into = __import__("openvino.tools.ovc.convert_impl", fromlist=["driver"])
    driver = into.driver

    def somebody_comes(*arguments):
        root.addHandler(came)
        return driver(*arguments)

    monkeypatch.setattr(into, "driver", somebody_comes)
    real(graph())
    assert came not in root.handlers, "OpenVINO by itself loses it"
    convert(openvino, graph())
    assert came in root.handlers
    assert root.level == logging.WARNING


def test_conversions_wait_for_each_other(openvino, root, monkeypatch):
    inside, most, real = [], [], openvino.convert_model

    def counted(source, **options):
        inside.append(source)
        most.append(len(inside))
        model = real(source, **options)
        inside.remove(source)
        return model

    monkeypatch.setattr(openvino, "convert_model", counted)
    threads = [threading.Thread(target=convert, args=(openvino, graph())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]
    assert root.level == logging.WARNING


def test_nothing_else_converts():
    package = Path(tl_core.__file__).parent
    callers = [path.name for path in package.rglob("*.py") if "convert_model(" in path.read_text()]
    assert callers == ["openvino_runtime.py"]
