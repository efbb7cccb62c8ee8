"""Creating, reading, changing and deleting runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.tl_core.runs.conftest import FakeDataset
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, RunNotFoundError, WorkspaceError
from tl_core.runs import (
    annotate_run,
    create_run,
    delete_run,
    find_run,
    has_tags,
    list_runs,
    load_run,
    read_events,
    tags_of,
    update_run,
)
from tl_core.runs.record import Owner
from tl_core.runs.store import end_run


def test_a_run_reads_back_as_it_was_created(workspace, run):
    assert find_run(workspace, run.id) == run
    assert run.status == "queued"
    assert run.split_counts == {"train": 11, "validation": 4}
    assert run.classes == ("cat", "dog")
    assert run.config == TrainingConfig(epochs=3)
    assert run.versions["keras"]


def test_runs_are_listed_newest_first_and_a_damaged_one_is_left_out(workspace, run):
    newer = create_run(workspace, TrainingConfig(), FakeDataset(), name="Second")
    broken = create_run(workspace, TrainingConfig(), FakeDataset(), name="Broken")
    broken.folder.record_file.write_text("{", encoding="utf-8")
    (workspace.runs / ".deleted-x").mkdir()
    assert [record.id for record in list_runs(workspace)] == [newer.id, run.id]


@pytest.mark.parametrize("run_id", ["../../etc", "", "pets", "pets-" + "0" * 32])
def test_a_link_to_no_run_is_a_plain_sentence(workspace, run_id):
    with pytest.raises(RunNotFoundError, match="choose one from the list"):
        find_run(workspace, run_id)


def test_a_record_from_a_newer_version_with_more_fields_still_reads(run):
    values = json.loads(run.folder.record_file.read_text(encoding="utf-8"))
    run.folder.record_file.write_text(json.dumps({**values, "invented_later": 1}), encoding="utf-8")
    assert load_run(run.path) == run


def test_tags_are_words_of_their_own_each_once(run):
    assert annotate_run(run.workspace, run.id, tags=[" Group  3 ", "baseline", "Baseline", "  "]).tags == (
        "Group 3",
        "baseline",
    )
    annotate_run(run.workspace, run.id, starred=True)
    kept = load_run(run.path)
    assert kept.tags == ("Group 3", "baseline")
    assert update_run(run.path, status="done").tags == kept.tags
    assert has_tags(kept, ["group 3"])
    assert not has_tags(kept, ["group 3", "other"])
    assert tags_of([kept, run]) == ["baseline", "Group 3"]
    assert annotate_run(run.workspace, run.id, tags=[]).tags == ()


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ([str(number) for number in range(11)], "10 tags: remove one first. Received: 11"),
        (["x" * 25], "24 characters"),
    ],
)
def test_too_many_or_too_long_tags_are_refused(run, tags, said):
    with pytest.raises(ConfigError, match=said):
        annotate_run(run.workspace, run.id, tags=tags)
    assert load_run(run.path).tags == ()


@pytest.mark.parametrize("damaged", ['{"tags": 3}', "[]", "{"])
def test_damaged_annotations_are_left_out(run, damaged):
    run.folder.annotations_file.write_text(damaged, encoding="utf-8")
    assert load_run(run.path) == run


def test_a_record_without_its_fields_is_damaged(run):
    run.folder.record_file.write_text("{}", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="damaged"):
        load_run(run.path)


def test_a_running_run_whose_process_died_is_interrupted(run):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner(pid=child.pid, started=psutil.Process(child.pid).create_time())
    update_run(run.path, status="running", owner=owner)
    assert load_run(run.path).status == "running"
    child.kill()
    child.wait()
    assert load_run(run.path).status == "interrupted"


def test_a_pid_that_is_used_again_does_not_keep_a_dead_run_alive(run):
    update_run(run.path, status="running", owner=Owner(pid=psutil.Process().pid, started=1.0))
    assert load_run(run.path).status == "interrupted"


def test_name_star_and_notes_survive_updates_of_the_training(run):
    annotate_run(run.workspace, run.id, name="  Better name ", starred=True)
    annotate_run(run.workspace, run.id, notes="good one")
    update_run(run.path, status="done")
    again = load_run(run.path)
    assert (again.name, again.starred, again.notes, again.status) == ("Better name", True, "good one", "done")
    with pytest.raises(ConfigError, match="needs a name"):
        annotate_run(run.workspace, run.id, name="  ")


def test_only_a_run_that_is_not_in_progress_can_be_deleted(workspace, run):
    with pytest.raises(WorkspaceError, match="stop or cancel"):
        delete_run(workspace, run.id)
    update_run(run.path, status="done")
    delete_run(workspace, run.id)
    assert list(workspace.runs.iterdir()) == []


CHANGING = """
import sys
from pathlib import Path
from tl_core.runs import load_run, update_run

path, name = Path(sys.argv[1]), sys.argv[2]
for number in range(100):
    update_run(path, **{name: str(number)})
    assert getattr(load_run(path), name) == str(number), number
"""


def test_two_processes_that_change_different_fields_lose_nothing(run):
    writers = [
        subprocess.Popen([sys.executable, "-c", CHANGING, str(run.path), name]) for name in ("device", "error")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]


def test_two_threads_that_change_different_fields_lose_nothing(run):
    def change(name):
        for number in range(100):
            update_run(run.path, **{name: str(number)})
            if getattr(load_run(run.path), name) != str(number):
                return number
        return None

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(change, ("device", "error"))) == [None, None]


def test_a_training_that_wakes_up_does_not_make_a_deleted_run_anew(workspace, run):
    update_run(run.path, status="done")
    delete_run(workspace, run.id)
    with pytest.raises(RunNotFoundError):
        update_run(run.path, device="late")
    assert list(workspace.runs.iterdir()) == []


def test_what_has_recorded_its_end_is_not_ended_again(run):
    update_run(run.path, status="done")
    assert not end_run(run.path, "interrupted", "It hangs.")
    assert load_run(run.path).status == "done"
    assert read_events(run.folder.events_file) == []


def test_a_run_that_is_ended_from_outside_says_why(run):
    assert end_run(run.path, "interrupted", "It hangs.")
    ended = load_run(run.path)
    assert (ended.status, ended.interruption) == ("interrupted", "It hangs.")
    assert [(event["kind"], event["status"]) for event in read_events(run.folder.events_file)] == [
        ("end", "interrupted")
    ]


def test_what_a_killed_deletion_left_goes_with_the_next_one(workspace, run):
    for name, age in (("left", 2 * 3600), ("at-work", 60)):
        folder = workspace.runs / f".deleted-{name}"
        folder.mkdir()
        (folder / "best.keras").write_bytes(b"a model")
        os.utime(folder, times=(time.time() - age,) * 2)
    update_run(run.path, status="done")
    delete_run(workspace, run.id)
    assert [path.name for path in workspace.runs.iterdir()] == [".deleted-at-work"]
