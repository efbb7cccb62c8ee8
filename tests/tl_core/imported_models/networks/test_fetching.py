"""Downloading through the real clients from a local server that answers as Kaggle Models and Hugging Face do."""

from __future__ import annotations

import pytest

from tests.tl_core.imported_models.networks.local_hub import local_hub
from tl_core.errors import ModelFileError, StoppedError, WorkspaceError
from tl_core.imported_models.networks import fetching
from tl_core.imported_models.networks.fetching import fetch
from tl_core.machine.progress import TaskContext
from tl_core.storage.workspace import Workspace

HANDLE = "google/tiny/tensorFlow2/100-96-feature-vector"
FILES = {"saved_model.pb": b"p" * 5000, "variables/variables.data-00000-of-00001": bytes(range(256)) * 8000}

OF_HUGGING_FACE = "hf://keras/tiny"
PRESET = {
    "config.json": b"{}",
    "model.weights.h5": bytes(range(256)) * 8000,
    "task.weights.h5": b"a head, which is not needed",
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = tmp_path / "network"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    monkeypatch.setattr(fetching, "_PAUSES", (0.0,) * fetching.ATTEMPTS)
    preset = tmp_path / "preset"
    preset.mkdir()
    for name, data in PRESET.items():
        (preset / name).write_bytes(data)
    with local_hub({"google/tiny/100-96-feature-vector": folder, "keras/tiny": preset}) as hub:
        monkeypatch.setenv("KAGGLE_API_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
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


def test_what_is_too_large_is_refused_before_it_has_arrived(hub, workspace, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.001")
    with pytest.raises(WorkspaceError, match="needs up to 2 MB more"):
        fetch(f"{HANDLE}/1", workspace)
    monkeypatch.delenv("TL_WORKSPACE_GB")
    monkeypatch.setattr(fetching, "MOST_DOWNLOADED", 1_000_000)
    with pytest.raises(ModelFileError, match="has 2 MB, more than the 1 MB that are downloaded"):
        fetch(OF_HUGGING_FACE, workspace)


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


def test_of_hugging_face_comes_what_is_needed_also_after_a_cut_connection(hub, workspace):
    wanted = {"config.json": PRESET["config.json"], "model.weights.h5": bytes(range(256)) * 80_000}
    (hub.networks["keras/tiny"] / "model.weights.h5").write_bytes(wanted["model.weights.h5"])
    hub.cut["model.weights.h5"] = 12_000_000  # the client writes pieces of 10 MiB
    told = []
    folder = fetch(OF_HUGGING_FACE, workspace, TaskContext(told.append))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == wanted
    assert hub.ranges == [f"model.weights.h5 bytes={10 << 20}-"]
    assert {progress.total for progress in told} >= {sum(map(len, wanted.values()))}


def test_a_file_of_hugging_face_without_its_checksum_is_fetched_again(hub, workspace):
    hub.damaged.add("model.weights.h5")
    hub.refusals += [429]
    folder = fetch(OF_HUGGING_FACE, workspace)
    assert (folder / "model.weights.h5").read_bytes() == PRESET["model.weights.h5"]


@pytest.mark.parametrize(
    ("handle", "status", "words"),
    [
        ("hf://keras/none", None, "There is no network hf://keras/none at Hugging Face"),
        (OF_HUGGING_FACE, 403, "agreed to its terms.*HF_TOKEN"),
        (OF_HUGGING_FACE, 418, "the server answered 418"),
    ],
)
def test_what_hugging_face_refuses_is_a_sentence(hub, workspace, handle, status, words):
    hub.refusals += [status] if status else []
    with pytest.raises(ModelFileError, match=words):
        fetch(handle, workspace)
