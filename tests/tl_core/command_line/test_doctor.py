"""What the doctor finds, each fault really made."""

from __future__ import annotations

import http.server
import json
import os
import socket
import threading
import time

import pytest

from tl_core.command_line import doctor, main
from tl_core.machine.hardware import Gpu, detect_hardware
from tl_core.storage.workspace import Workspace


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("TL_PASSCODE_HASH", raising=False)
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def examined(room, capsys):
    """``examined()`` -> exit code and the findings by name."""

    def call(port=None):
        code = main(["doctor", "--json", "--port", str(port or free_port())])
        values = json.loads(capsys.readouterr().out.splitlines()[-1])
        findings = {finding["name"]: finding for finding in values["findings"]}
        assert values["ok"] == all(finding["ok"] for finding in findings.values()) == (code == 0)
        return code, findings

    return call


def only_fault(answer, name):
    """The one thing that is not as it should be."""
    code, findings = answer
    assert code == 2
    assert [key for key, finding in findings.items() if not finding["ok"]] == [name]
    return findings[name]["text"] + ": " + findings[name]["advice"]


def test_a_sound_machine_is_told_so_line_by_line(room, examined, capsys):
    code, findings = examined()
    assert code == 0, findings
    assert set(findings) == {
        "Python and packages",
        "workspace",
        "quota",
        "cache",
        "leftovers",
        "weights",
        "device",
        "browser port",
        "pass-code",
    }
    assert "EfficientNet-Lite0 is here and is the published file" in findings["weights"]["text"]
    assert detect_hardware().summary in findings["device"]["text"]
    assert main(["doctor", "--port", str(free_port())]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(findings)
    assert all(line.startswith("OK ") for line in lines)


def test_a_workspace_that_cannot_be_written_does_not_hide_the_rest(room, examined):
    room.root.write_text("no folder")
    code, findings = examined()
    assert code == 2
    assert "cannot be written" in findings["workspace"]["advice"]
    assert findings["weights"]["ok"]


def test_a_disk_with_little_room(examined, monkeypatch):
    usage = type("Usage", (), {"total": 10**11, "free": 10**9})
    monkeypatch.setattr("tl_core.data.imports.building.shutil.disk_usage", lambda path: usage)
    assert "1.0 GB left" in only_fault(examined(), "workspace")


def test_a_full_quota_and_a_cache_over_its_bound(room, examined, monkeypatch):
    room.ensure()
    (room.cache / "trunk-1").mkdir()
    (room.cache / "trunk-1" / "0.npy").write_bytes(bytes(2_000_000))
    monkeypatch.setenv("TL_CACHE_GB", "0.001")
    assert "Free this space" in only_fault(examined(), "cache")
    monkeypatch.setenv("TL_CACHE_GB", "1")
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.0023")
    assert "before it is full" in only_fault(examined(), "quota")
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.001")
    assert "kept for speed 2 MB" in only_fault(examined(), "quota")


def test_a_setting_that_is_no_number(examined, monkeypatch):
    monkeypatch.setenv("TL_CACHE_GB", "a lot")
    assert "TL_CACHE_GB must be a number" in only_fault(examined(), "cache")


@pytest.mark.parametrize("place", ["datasets/.importing-1a", "runs/.deleted-1a", "cache/.making-1-1a"])
def test_what_was_cut_off_is_named_once_it_is_old(room, examined, place):
    room.ensure()
    folder = room.root / place
    folder.mkdir()
    (folder / "file").write_bytes(bytes(3_000_000))
    assert examined()[0] == 0, "it may belong to work in progress"
    for path in (folder / "file", folder):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    text = only_fault(examined(), "leftovers")
    assert place in text
    assert "3 MB" in text


def test_weights_that_are_not_the_published_ones(examined, monkeypatch, tmp_path):
    other = tmp_path / "other.pth"
    other.write_bytes(b"something else")
    monkeypatch.setattr("tl_core.backbones.weights._in_package", lambda backbone: other)
    assert "checksum differs" in only_fault(examined(), "weights")


def test_packages_out_of_their_range_and_missing_ones(examined, monkeypatch, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11,<3.14"\n')
    (tmp_path / "requirements.txt").write_text("# comment\nkeras>=99\nno-such-package-here>=1\npillow>=1\n")
    monkeypatch.setattr(doctor, "PROJECT", tmp_path)
    text = only_fault(examined(), "Python and packages")
    assert "keras" in text
    assert "instead of >=99" in text
    assert "no-such-package-here is missing" in text
    assert "pillow" not in text
    assert "pip install -r requirements.txt" in text


def test_another_python(examined, monkeypatch, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=4"\n')
    (tmp_path / "requirements.txt").write_text("")
    monkeypatch.setattr(doctor, "PROJECT", tmp_path)
    assert "Use Python >=4" in only_fault(examined(), "Python and packages")


def test_a_gpu_without_its_libraries(examined, monkeypatch):
    with_gpu = type("Hardware", (), {"gpus": (Gpu("RTX", 8192),), "summary": "GPU RTX", "memory_bytes": 10**10})
    monkeypatch.setattr(doctor, "detect_hardware", lambda: with_gpu)
    monkeypatch.setattr(doctor.metadata, "distributions", lambda: [])
    assert "tensorflow[and-cuda]" in only_fault(examined(), "device")


def test_a_port_that_is_taken_by_another_program(examined):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"--server.port {port + 1}" in only_fault(examined(port), "browser port")


def test_a_dashboard_that_runs_already_is_no_fault(examined):
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, findings = examined(server.server_port)
        server.shutdown()
    assert code == 0
    assert "a dashboard answers" in findings["browser port"]["text"]


def test_a_pass_code_that_cannot_be_read(examined, monkeypatch):
    monkeypatch.setenv("TL_PASSCODE_HASH", "secret123")
    text = only_fault(examined(), "pass-code")
    assert "python -m tl_core passcode" in text
    assert "secret123" not in text


@pytest.mark.parametrize("port", ["0", "70000", "many"])
def test_a_port_that_cannot_be(room, port, capsys):
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--port", port])
    assert end.value.code == 2
    assert "from 1 to 65535" in capsys.readouterr().err
