"""The workspace does not grow without bound, and shows in time what takes the space."""

from __future__ import annotations

import pytest

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, WorkspaceError
from tl_core.runs import create_run, list_runs, update_run
from tl_core.runs.record import CHECKPOINT_FILE
from tl_core.runs.store import require_resumable, with_more_epochs
from tl_core.storage.quota import enough_of, folder_bytes, require_within_quota, usage
from tl_core.storage.workspace import Workspace

MEGABYTE = 1_000_000


@pytest.fixture
def room(tmp_path) -> Workspace:
    return Workspace(tmp_path / "workspace").ensure()


def fill(folder, size):
    (folder / "sub").mkdir(exist_ok=True)
    (folder / "sub" / ".hidden").write_bytes(bytes(size))


def test_every_part_is_measured_with_hidden_files_and_links_are_not_followed(room, tmp_path):
    fill(room.runs, 3000)
    fill(room.datasets, 200)
    (tmp_path / "elsewhere").mkdir()
    fill(tmp_path / "elsewhere", 10 * MEGABYTE)
    (room.cache / "link").symlink_to(tmp_path / "elsewhere")
    parts = usage(room).parts
    assert parts["runs"] == 3000
    assert parts["datasets"] == 200
    assert parts["cache"] < 1000


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert folder_bytes(tmp_path / "none") == 0


def test_below_the_limit_there_is_nothing_to_say(room, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.01")
    fill(room.runs, 7 * MEGABYTE)
    require_within_quota(room, 2 * MEGABYTE)
    assert not usage(room).nearly_full


def test_the_refusal_names_what_takes_the_space_and_what_to_do(room, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.01")
    fill(room.runs, 8 * MEGABYTE)
    fill(room.cache, 1 * MEGABYTE)
    with pytest.raises(WorkspaceError) as refusal:
        require_within_quota(room, 2 * MEGABYTE)
    assert str(refusal.value) == (
        "The workspace holds 9 MB of the 10 MB allowed (runs 8 MB, kept for speed 1 MB), and this needs up to 2 MB "
        "more: delete runs you no longer need on the Runs page, or allow more with TL_WORKSPACE_GB."
    )
    assert usage(room).nearly_full
    assert usage(room).excess == 1 * MEGABYTE


def test_a_full_workspace_takes_no_images_and_leaves_nothing_behind(room, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.01")
    fill(room.runs, 10 * MEGABYTE)
    with pytest.raises(WorkspaceError, match="10 MB of the 10 MB allowed"):
        import_coloured(room, COLOURS)
    assert list(room.datasets.iterdir()) == []


def test_a_full_workspace_starts_no_training(room, monkeypatch):
    dataset = import_coloured(room, COLOURS)
    fill(room.runs, 10 * MEGABYTE)
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.01")
    with pytest.raises(WorkspaceError, match="delete runs"):
        create_run(room, TrainingConfig(), dataset)
    assert list_runs(room) == []


def test_a_full_workspace_goes_on_with_no_training(room, monkeypatch):
    dataset = import_coloured(room, COLOURS)
    cut_off, ended = (create_run(room, TrainingConfig(), dataset) for _ in range(2))
    cut_off = update_run(cut_off.path, status="interrupted", owner=None)
    ended = update_run(ended.path, status="done")
    for file in (ended.folder.model_file, ended.path / CHECKPOINT_FILE):
        file.touch()
    require_resumable(cut_off)
    assert with_more_epochs(ended, 5).epochs == ended.config.epochs + 5
    fill(room.runs, 10 * MEGABYTE)
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.01")
    with pytest.raises(WorkspaceError, match="delete runs"):
        require_resumable(cut_off)
    with pytest.raises(WorkspaceError, match="delete runs"):
        with_more_epochs(ended, 5)


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_bound_that_is_no_number_is_a_sentence(room, monkeypatch, text):
    monkeypatch.setenv("TL_WORKSPACE_GB", text)
    with pytest.raises(ConfigError, match="TL_WORKSPACE_GB must be a number"):
        usage(room)


@pytest.mark.parametrize(("wanted", "count"), [(0, 0), (1, 1), (10, 1), (11, 2), (1000, 3)])
def test_as_many_as_needed_and_no_more(wanted, count):
    assert enough_of([10, 20, 30], wanted) == count
