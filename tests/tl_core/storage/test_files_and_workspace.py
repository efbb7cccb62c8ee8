from __future__ import annotations

import pytest

from tl_core.errors import WorkspaceError
from tl_core.storage.files import read_json, replacing, write_json
from tl_core.storage.workspace import Workspace, is_id, new_id


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "best.keras"
    write_json(path, {"good": True})

    def fail() -> None:
        with replacing(path) as temporary:
            assert temporary.suffix == ".keras"
            temporary.write_text("half", encoding="utf-8")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert read_json(path) == {"good": True}
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_json(path, 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkspaceError, match=r"No space left on device.*free some disk space"):
        write_json(path, 2)
    monkeypatch.undo()
    assert read_json(path) == 1


def test_damaged_json_is_one_sentence(tmp_path):
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(WorkspaceError, match=r"run\.json.*damaged"):
        read_json(tmp_path / "run.json")


def test_a_workspace_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "taken").write_text("a file stands where the folder should be", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        Workspace(tmp_path / "taken").ensure()


def test_the_workspace_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path))
    assert Workspace.from_environment().root == tmp_path.resolve()
    monkeypatch.delenv("TL_WORKSPACE")
    assert Workspace.from_environment().root.name == "workspace"


@pytest.mark.parametrize("name", ["Cats & dogs", "Ελληνικά", "日本語", "<script>", "../../etc", "", "x" * 300])
def test_ids_are_safe_as_a_folder_name(name):
    first, second = new_id(name), new_id(name)
    assert first != second
    assert is_id(first)
    assert not is_id(f"../{first}")
