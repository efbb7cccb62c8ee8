"""TensorFlow.js from a registry with every fault that a network can have; and as a file that somebody has brought."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from tl_core.command_line import main
from tl_core.command_line import weights as weights_verb
from tl_core.errors import ExportError, StoppedError
from tl_core.export.browser import library as library_module
from tl_core.export.browser.library import TENSORFLOW_JS, Library, ensure_library, find_library, known_operations
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace

SCRIPT = b'/* a library */ const ops=[{tfOpName:"Add",category:"x"},{tfOpName:"_FusedConv2D"}];' + (
    np.random.default_rng(0).bytes(400_000).hex().encode()
)


def packed(script: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as package:
        for name, content in (("package/README.md", b"words"), (TENSORFLOW_JS.member, script)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            package.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


PACKAGE = packed(SCRIPT)
SMALL: Library = replace(
    TENSORFLOW_JS,
    package_size=len(PACKAGE),
    package_sha256=hashlib.sha256(PACKAGE).hexdigest(),
    sha256=hashlib.sha256(SCRIPT).hexdigest(),
)


@dataclass
class Registry:
    """A registry of this machine, which answers as npm's does: the address of a package leads to another one."""

    url: str = ""
    package: bytes = PACKAGE
    status: int = 200
    breaks_after: list[int] = field(default_factory=list)  # bytes of the next answers, then they are cut
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path and range


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    state = Registry()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            if not self.path.startswith("/files/"):
                self.send_response(302)
                self.send_header("Location", f"{state.url}/files{self.path}")
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            body = state.package[start:]
            self.send_response(206 if start else state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.breaks_after.pop(0)] if state.breaks_after else body)

        def log_message(self, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{state.url}/")
        monkeypatch.delenv("npm_config_registry", raising=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace, and an empty folder of downloads."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path / "workspace"))
    return Workspace.from_environment().ensure()


def test_it_is_downloaded_once_and_only_the_file_is_kept(registry, room, tmp_path):
    seen = []
    path = ensure_library(room, TaskContext(lambda at: seen.append((at.done, at.total))), SMALL)
    assert path.read_bytes() == SCRIPT
    assert [file for file in (tmp_path / "keras").rglob("*") if file.is_file()] == [path]
    assert seen[-1] == (len(PACKAGE), len(PACKAGE))
    assert registry.asked[0] == (f"/{SMALL.package}", None)
    asked = len(registry.asked)
    assert ensure_library(room, library=SMALL) == path == find_library(room, SMALL)
    assert len(registry.asked) == asked, "and no network is needed any more"
    assert known_operations(path) == {"Add", "_FusedConv2D"}


def test_a_connection_that_is_cut_goes_on_where_it_was(registry, room):
    registry.breaks_after = [100_000, 50_000]
    assert ensure_library(room, library=SMALL).read_bytes() == SCRIPT
    assert [wanted for path, wanted in registry.asked if path.startswith("/files/")] == [
        None,
        "bytes=100000-",
        "bytes=150000-",
    ]


def test_a_connection_that_is_always_cut_is_given_up(registry, room, tmp_path):
    registry.breaks_after = [1000] * 100
    with pytest.raises(ExportError, match="because the connection broke off: connect to the internet once"):
        ensure_library(room, library=SMALL)
    assert len([path for path, _ in registry.asked if path.startswith("/files/")]) == library_module.ATTEMPTS
    assert not [file for file in (tmp_path / "keras").rglob("*") if file.is_file()]


@pytest.mark.parametrize("status", [404, 503])
def test_what_a_registry_answers_is_said(registry, room, status):
    registry.status = status
    with pytest.raises(ExportError, match=f"because the server answered {status}:"):
        ensure_library(room, library=SMALL)


@pytest.mark.parametrize("package", [packed(SCRIPT + b"!"), PACKAGE[:-1] + b"!"])
def test_another_file_than_published_is_refused(registry, room, tmp_path, package):
    registry.package = package
    with pytest.raises(ExportError, match="because what arrived is not the file that was published:"):
        ensure_library(room, library=SMALL)
    assert not [file for file in (tmp_path / "keras").rglob("*") if file.is_file()]


def test_without_a_network_one_sentence_says_what_to_do(registry, room, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://no-such-host.invalid")
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    with pytest.raises(ExportError) as caught:
        ensure_library(room)
    assert str(caught.value) == (
        "TensorFlow.js 4.22.0, with which the page computes, is not on this machine and could not be downloaded (31 "
        "MB, once) because there is no connection to the server: connect to the internet once, name a mirror in "
        "npm_config_registry, or copy the file tensorflowjs-4.22.0.min.js into the folder “weights” of the workspace "
        "from one in which “python -m tl_core weights fetch tensorflowjs” was run."
    )


def test_a_file_that_was_brought_is_used_and_checked(registry, room):
    path = room.weights / SMALL.file
    path.write_bytes(SCRIPT)
    assert ensure_library(room, library=SMALL) == path
    path.write_bytes(SCRIPT[:-1])
    with pytest.raises(ExportError, match=r"is not TensorFlow\.js 4\.22\.0 as it was published .*: delete it"):
        ensure_library(room, library=SMALL)
    assert registry.asked == []


def test_it_can_be_stopped(registry, room, tmp_path):
    with pytest.raises(StoppedError):
        ensure_library(room, TaskContext(should_stop=lambda: True), SMALL)
    assert not [file for file in (tmp_path / "keras").rglob("*") if file.is_file()]


def test_the_folder_of_weights_is_filled_for_a_class_without_a_network(registry, room, monkeypatch, capsys):
    monkeypatch.setattr(weights_verb, "ensure_library", lambda room, task: ensure_library(room, task, SMALL))
    assert main(["weights", "fetch", "tensorflowjs", "--json"]) == 0
    (fetched,) = json.loads(capsys.readouterr().out.splitlines()[-1])["fetched"]
    assert fetched == {
        "name": "tensorflowjs",
        "title": "TensorFlow.js 4.22.0",
        "file": str(room.weights / SMALL.file),
    }
    assert (room.weights / SMALL.file).read_bytes() == SCRIPT
    assert main(["weights", "list"]) == 0
    assert "library" in capsys.readouterr().out
