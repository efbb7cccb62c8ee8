"""TensorFlow is loaded without what it prints about CUDA; whatever else is printed meanwhile is kept."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.test_architecture import REPOSITORY
from tl_core.machine import banner
from tl_core.machine.banner import LEVEL, without_banner

# As TensorFlow 2.19 to 2.21 print them.
BANNER = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    "I0000 00:00:1795950694.087260   32256 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will "
    "not be used.\n"
    "E0000 00:00:1795950705.012114   32256 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error\n"
    "E0000 00:00:1758131045.203198 3722035 cuda_dnn.cc:8579] Unable to register cuDNN factory: Attempting\n"
)
FAULTS = (
    "F0000 00:00:1795950705.012114   32256 cpu_feature_guard.cc:11] compiled to use AVX instructions\n"
    "E0000 00:00:1795950705.012114   32256 wrapper.cc:52] no space left on device\n"
    "2026-11-29 11:15:22 WARNING tl_core: written by another thread\n"
)
LOADS = """
from tl_core.machine import banner
banner._prints_banner_alone = lambda: True
banner.keep_banner_back()
import tensorflow
tensorflow.used()
"""


def test_the_banner_is_dropped_and_faults_are_printed(capfd):
    with without_banner():
        os.write(2, (BANNER + FAULTS).encode())
    os.write(2, BANNER.encode())
    assert capfd.readouterr().err == FAULTS + BANNER


def test_what_was_printed_before_an_error_is_kept(capfd):
    def fail() -> None:
        os.write(2, FAULTS.encode())
        raise ImportError

    with pytest.raises(ImportError), without_banner():
        fail()
    assert capfd.readouterr().err == FAULTS


@pytest.fixture
def loaded(tmp_path):
    """What a process prints that loads a network library which prints the banner while it is read and first used."""
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(
        f"import os, types\nos.write(2, {BANNER + FAULTS!r}.encode())\n"
        f"def look(kind): os.write(2, {BANNER!r}.encode())\n"
        "config = types.SimpleNamespace(list_physical_devices=look)\n"
        "def used(): print(__spec__.name)\n"
    )

    def load(**variables: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != LEVEL}
        paths = f"{tmp_path}{os.pathsep}{REPOSITORY}"
        done = subprocess.run(
            [sys.executable, "-c", LOADS],
            env=environment | {"PYTHONPATH": paths} | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "tensorflow\n"
        return done.stderr

    return load


def test_it_is_loaded_quietly(loaded):
    assert loaded() == FAULTS


def test_whoever_asks_for_its_messages_gets_them_all(loaded):
    assert loaded(**{LEVEL: "0"}) == BANNER + FAULTS


@pytest.mark.parametrize(
    ("platform", "gpus", "instruction_sets", "expected"),
    [
        ("linux", (), ("AVX2",), True),
        ("linux", ("a GPU",), ("AVX2",), False),
        ("linux", (), (), False),
        ("darwin", (), ("NEON",), False),
    ],
)
def test_where_it_has_something_to_say_nothing_is_kept_back(monkeypatch, platform, gpus, instruction_sets, expected):
    class Found:
        pass

    Found.gpus, Found.instruction_sets = gpus, instruction_sets
    monkeypatch.setattr(banner, "detect_hardware", Found)
    monkeypatch.setattr(banner.sys, "platform", platform)
    assert banner._prints_banner_alone() is expected
