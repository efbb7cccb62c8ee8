"""Imported models, opened in a process of their own."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import numpy as np
import psutil
import pytest

from tests.hostile.bad_models import BAD_MODELS, BadModel
from tests.hostile.models import CLASSES, good_model, lambda_of_keras
from tests.tl_core.imported_models import small_child
from tests.ui.trained_runs import COLOURS, coloured
from tl_core.errors import ModelFileError, StoppedError
from tl_core.imported_models import model_server
from tl_core.imported_models.importing import import_model
from tl_core.imported_models.model_server import answerer_of, close_imported_model, is_open, open_imported_model
from tl_core.inference.predict import predict_with
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace

# TensorFlow tries for ten seconds to get memory before it gives up.
IN_CHILD = [
    pytest.param(bad, marks=[pytest.mark.long] if bad.name == "padding bomb" else [], id=bad.name)
    for bad in BAD_MODELS
    if bad.child
]
RED, BLUE = (coloured(colour, 7) for colour in COLOURS.values())


@pytest.fixture(autouse=True)
def closed_afterwards():
    yield
    close_imported_model()


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace")).ensure()


@pytest.fixture(scope="module")
def good(room):
    return import_model(room, io.BytesIO(good_model()), "good.keras", CLASSES)


def asked(model, *pictures):
    return [answer.ranked[0][0] for answer in predict_with(answerer_of(model), pictures)]


@pytest.mark.slow
def test_a_good_model_answers_and_is_opened_once(good):
    said = []
    open_imported_model(good, TaskContext(said.append))
    assert [at.text for at in said] == [
        "Checking the file",
        "Loading the libraries",
        "Opening the model",
        "Asking it for the first time",
    ]
    assert [at.fraction for at in said] == sorted(at.fraction for at in said)
    pid = model_server._server._process._process.pid
    assert asked(good, *[RED, BLUE] * 10) == ["red", "blue"] * 10
    assert model_server._server._process._process.pid == pid
    assert is_open(good)
    environment = psutil.Process(pid).environ()
    assert not {name for name in environment if "TOKEN" in name or "SECRET" in name or "TL_" in name}
    close_imported_model()
    assert not psutil.pid_exists(pid)
    assert not is_open(good)


@pytest.mark.slow
@pytest.mark.parametrize("bad", IN_CHILD)
def test_what_only_the_process_can_see_is_refused_there(room, good, bad: BadModel):
    model = import_model(room, io.BytesIO(bad.make()), f"{bad.name}.keras", bad.names)
    with pytest.raises(ModelFileError, match=bad.says) as caught:
        open_imported_model(model)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert model_server._server._process is None


@pytest.fixture
def small(good, monkeypatch):
    """The model `good`, answered for by a process that starts in no time."""
    monkeypatch.setattr(model_server, "PROGRAM", "tests.tl_core.imported_models.small_child")
    return good


def told(what: int) -> np.ndarray:
    return np.full((1, 32, 32, 3), what, np.uint8)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (small_child.DIES, "It ended by itself"),
        (small_child.TOO_SHORT, "no answer"),
        (small_child.NO_NUMBER, "no number"),
        (small_child.NONSENSE, "It ended by itself"),
    ],
)
def test_a_process_that_fails_is_a_sentence_and_the_next_request_is_served(small, what, says):
    predictor = open_imported_model(small)
    pid = model_server._server._process._process.pid
    with pytest.raises(ModelFileError, match=says):
        predictor.predict(told(what))
    assert not psutil.pid_exists(pid)
    assert predictor.predict(told(small_child.ANSWERS)).tolist() == [[0.0, 1.0]]


def test_a_process_that_was_killed_from_outside_is_started_again(small):
    predictor = open_imported_model(small)
    psutil.Process(model_server._server._process._process.pid).kill()
    model_server._server._process._process.wait()
    assert predictor.predict(told(small_child.ANSWERS)).tolist() == [[0.0, 1.0]]


def test_a_process_that_hangs_is_ended(small, monkeypatch):
    predictor = open_imported_model(small)
    pid = model_server._server._process._process.pid
    monkeypatch.setattr(model_server, "LIMITS", model_server.LIMITS.__class__(ask_seconds=0.2))
    with pytest.raises(ModelFileError, match="It took too long"):
        predictor.predict(told(small_child.HANGS))
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("program", ["silent_child", "flooding_child"])
def test_a_process_that_does_not_open_the_model_in_time_is_ended(good, monkeypatch, program):
    monkeypatch.setattr(model_server, "LIMITS", model_server.LIMITS.__class__(load_seconds=1.0))
    monkeypatch.setattr(model_server, "PROGRAM", f"tests.tl_core.imported_models.{program}")
    with pytest.raises(ModelFileError, match="It took too long"):
        open_imported_model(good)
    for thread in threading.enumerate():
        if thread.name == "brought-listen":
            thread.join(20)
            assert not thread.is_alive()


def test_a_process_that_takes_too_much_memory_is_ended(small, monkeypatch):
    predictor = open_imported_model(small)
    monkeypatch.setattr(model_server._server._process, "_most", 200_000_000)
    with pytest.raises(ModelFileError, match="It took too much memory"):
        predictor.predict(told(small_child.GROWS))


def test_opening_can_be_stopped_also_while_another_model_is_being_opened(good):
    with pytest.raises(StoppedError):
        open_imported_model(good, TaskContext(should_stop=lambda: True))
    assert model_server._server._process is None
    with model_server._server.turn(lambda: False), pytest.raises(StoppedError):
        open_imported_model(good, TaskContext(should_stop=lambda: True))


def test_an_idle_process_is_ended_and_started_again_for_the_next_question(small, monkeypatch):
    monkeypatch.setattr(model_server, "IDLE_SECONDS", 0.05)
    predictor = open_imported_model(small)
    model_server._server._process._process.wait(20)
    monkeypatch.setattr(model_server, "IDLE_SECONDS", 120.0)
    assert predictor.predict(told(small_child.ANSWERS)).tolist() == [[0.0, 1.0]]


def test_a_file_that_was_exchanged_in_the_workspace_is_not_opened(tmp_path):
    room = Workspace(tmp_path).ensure()
    model = import_model(room, io.BytesIO(good_model()), "good.keras", CLASSES)
    model.model_file.write_bytes(lambda_of_keras())
    with pytest.raises(ModelFileError, match="was changed since"):
        open_imported_model(model)


LOCKED = r"""
import sys, socket, subprocess, os, pickle, resource
from pathlib import Path
from tl_core.imported_models.sandbox.limits import forbid_everything_else, limit_memory, limit_writing
limit_writing()
limit_memory(1 << 28)
forbid_everything_else(Path("/tmp/model.keras"))
tries = {
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), 1),
    "look up": lambda: socket.getaddrinfo("example.org", 80),
    "program": lambda: subprocess.run(["/bin/true"]),
    "shell": lambda: os.system("true"),
    "fork": lambda: os.fork(),
    "write": lambda: open("/tmp/never", "w"),
    "write by number": lambda: os.open("/tmp/never", os.O_WRONLY | os.O_CREAT),
    "read": lambda: open("/etc/passwd"),
    "read by a way round": lambda: open(sys.prefix + "/../../../../../../../../../etc/passwd"),
    "remove": lambda: os.remove("/tmp/never"),
    "pickle": lambda: pickle.loads(b"cos\nsystem\n."),
    "memory": lambda: bytearray(1 << 30),
}
for name, action in tries.items():
    try:
        action()
    except (PermissionError, MemoryError) as error:
        print(name, "refused")
    else:
        print(name, "DONE")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the bound on memory is one of Linux")
def test_the_process_can_do_nothing_but_compute():
    done = subprocess.run([sys.executable, "-c", LOCKED], capture_output=True, text=True, check=True)
    said = done.stdout.split("\n")[:-1]
    assert len(said) == 12
    assert [line for line in said if not line.endswith("refused")] == []
