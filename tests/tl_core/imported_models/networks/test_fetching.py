"""Downloading through the real client from a local server that answers as Kaggle Models does."""

from __future__ import annotations

import pytest

from tests.tl_core.imported_models.networks.local_hub import local_hub
from tl_core.errors import ModelFileError, StoppedError
from tl_core.imported_models.networks import fetching
from tl_core.imported_models.networks.fetching import fetch
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace

HANDLE = "google/tiny/tensorFlow2/100-96-feature-vector"
FILES = {"saved_model.pb": b"p" * 5000, "variables/variables.data-00000-of-00001": bytes(range(256)) * 8000}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = tmp_path / "network"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    monkeypatch.setattr(fetching, "_PAUSES", (0.0,) * fetching.ATTEMPTS)
    with local_hub({"google/tiny/100-96-feature-vector": folder}) as hub:
        monkeypatch.setenv("KAGGLE_API_ENDPOINT", hub.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
        yield hub


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "workspace").ensure()


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_cut_connection_goes_on_where_it_ended_and_a_second_time_nothing_is_downloaded(hub, workspace):
    hub.cut["variables/variables.data-00000-of-00001"] = 1_100_000
    told = []
    folder = fetch(f"{HANDLE}/1", workspace, TaskContext(told.append))
    assert content(folder) == FILES
    assert hub.ranges == ["variables/variables.data-00000-of-00001 bytes=1048576-"]
    assert {progress.total for progress in told} == {sum(map(len, FILES.values()))}
    before = hub.asked["DownloadModelInstanceVersion"]
    assert fetch(f"{HANDLE}/1", workspace) == folder
    assert hub.asked["DownloadModelInstanceVersion"] == before


def test_damaged_files_are_noticed_by_their_checksum_and_fetched_again(hub, workspace):
    hub.damaged.add("saved_model.pb")
    hub.refusals += [429]  # asked to wait, which it does
    assert content(fetch(HANDLE, workspace)) == FILES


def test_what_is_not_there_is_a_sentence(hub, workspace):
    with pytest.raises(ModelFileError, match="There is no network google/none/tensorFlow2/x"):
        fetch("google/none/tensorFlow2/x", workspace)
    assert hub.asked["GetModelInstance"] == 1  # and is not asked for again


def test_no_connection_is_a_sentence_that_says_what_to_do(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(fetching, "ATTEMPTS", 1)
    with pytest.raises(ModelFileError, match=r"connection failed .* bring it as a tar\.gz"):
        fetch(HANDLE, workspace)


def test_a_stop_ends_the_download(hub, workspace):
    with pytest.raises(StoppedError, match="what has arrived is kept"):
        fetch(HANDLE, workspace, TaskContext(should_stop=lambda: True))


def test_without_the_client_the_sentence_says_what_to_install(workspace, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelFileError, match="pip install kagglehub"):
        fetch(HANDLE, workspace)
