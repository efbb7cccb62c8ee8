from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from tl_core.machine import hardware


@pytest.fixture(autouse=True)
def _forget():
    hardware.detect_hardware.cache_clear()
    yield
    hardware.detect_hardware.cache_clear()


def test_this_machine_is_described():
    found = hardware.detect_hardware()
    assert found.cores >= 1
    assert found.memory_bytes > 2**30
    assert found.cpu in found.summary or found.gpus


def test_load_is_measured():
    load = hardware.current_load()
    assert 0 <= load.cpu_percent <= 100
    assert 0 < load.memory_used_bytes < load.memory_total_bytes


@pytest.mark.parametrize(
    ("answer", "gpus"),
    [("echo 'NVIDIA T4, 15360'", (hardware.Gpu("NVIDIA T4", 15360),)), ("exit 9", ()), ("echo '[N/A], [N/A]'", ())],
)
def test_gpus_are_what_the_driver_says(tmp_path, monkeypatch, answer, gpus):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = hardware.detect_hardware()
    assert found.gpus == gpus
    if gpus:
        assert found.summary == "GPU NVIDIA T4 (15 GB)"


def test_tensorflow_is_not_imported():
    code = """import sys; import tl_core.jobs.supervisor, tl_core.machine.hardware, tl_core.runs.store
assert 'tensorflow' not in sys.modules"""
    subprocess.run([sys.executable, "-c", code], check=True)
