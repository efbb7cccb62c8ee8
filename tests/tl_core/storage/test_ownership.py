"""Whose something is, and who may see it."""

from __future__ import annotations

import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tl_core.jobs.thread_runner import ThreadRunner
from tests.tl_core.jobs.waiting import wait_until_idle
from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.config import TrainingConfig
from tl_core.data import delete_dataset, list_datasets, rename_dataset
from tl_core.errors import NotYoursError
from tl_core.imported_models.store import ImportedModel, delete_imported_model, list_imported_models, save_record
from tl_core.inference.calibration import Calibration, save_calibration
from tl_core.jobs import JobManager, manager, queue
from tl_core.runs import annotate_run, create_run, delete_run, find_run, list_runs, update_run
from tl_core.runs.store import RUNS
from tl_core.storage.ownership import FILE, belonging, claim, is_mine, person_id, share
from tl_core.storage.workspace import Workspace


@pytest.fixture
def room(tmp_path):
    return Workspace(tmp_path / "workspace").ensure()


def of(room, email):
    return replace(room, person=person_id(room, email))


def test_a_person_keeps_their_name_and_no_address_is_kept(room):
    ada = person_id(room, "Ada@example.org")
    assert ada == person_id(room, "ada@EXAMPLE.org")
    assert ada != person_id(room, "eve@example.org")
    assert ada != person_id(Workspace(room.root.with_name("other")), "ada@example.org"), "each workspace has its key"
    import_coloured(of(room, "ada@example.org"), COLOURS)
    assert not [path for path in room.root.rglob("*") if path.is_file() and b"example.org" in path.read_bytes()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_nobody_else_on_the_machine_reads_the_key(room):
    person_id(room, "ada@example.org")
    assert stat.S_IMODE((room.root / ".people-key").stat().st_mode) == 0o600


def test_all_who_come_first_agree_on_the_key(room):
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda _: person_id(room, "ada@example.org"), range(32)))
    assert len(names) == 1


def test_each_sees_their_own_and_what_is_shared(room):
    ada, eve = of(room, "ada@example.org"), of(room, "eve@example.org")
    hers = import_coloured(ada, COLOURS)
    run = create_run(ada, TrainingConfig(), hers)
    assert [found.id for found in list_datasets(ada)] == [hers.id]
    assert [found.id for found in list_runs(ada)] == [run.id]
    assert list_datasets(eve) == list_runs(eve) == []
    with pytest.raises(NotYoursError, match="somebody else's: ask them"):
        find_run(eve, run.id)
    share(ada, run.path, True)
    assert find_run(eve, run.id).id == run.id
    assert [found.id for found in list_runs(eve)] == [run.id]
    assert not is_mine(eve, run.path)
    with pytest.raises(NotYoursError):
        RUNS.require_mine(eve, run.id)
    with pytest.raises(NotYoursError):
        share(eve, run.path, False)
    share(ada, run.path, False)
    assert list_runs(eve) == []


def test_what_nobody_owns_is_everybodys_and_without_a_person_all_is_seen(room):
    ada = of(room, "ada@example.org")
    old = create_run(room, TrainingConfig(), import_coloured(room, COLOURS))
    hers = create_run(ada, TrainingConfig(), list_datasets(ada)[0])
    assert is_mine(ada, old.path)
    assert {run.id for run in list_runs(ada)} == {run.id for run in list_runs(room)} == {old.id, hers.id}
    assert belonging(old.path).person is None
    with pytest.raises(NotYoursError, match="yours alone"):
        share(ada, old.path, True)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"person": 3'])
def test_what_is_damaged_is_shown_to_no_person(room, content, caplog):
    ada = of(room, "ada@example.org")
    run = create_run(ada, TrainingConfig(), import_coloured(ada, COLOURS))
    (run.path / FILE).write_text(content)
    assert list_runs(ada) == []
    assert "damaged" in caplog.text
    assert [found.id for found in list_runs(room)] == [run.id]


def test_one_queue_serves_all(room, monkeypatch):
    ada, eve = of(room, "ada@example.org"), of(room, "eve@example.org")
    at_work, go_on = threading.Event(), threading.Event()

    def train(_config, _dataset, path, _should_stop):
        at_work.set()
        assert go_on.wait(30)
        update_run(path, status="done")

    jobs = JobManager(room, ThreadRunner(train=train))
    monkeypatch.setattr(queue, "_queue_of_this_process", lambda: jobs)
    run = create_run(ada, TrainingConfig(), import_coloured(ada, COLOURS))
    manager(ada).submit(run.id)
    assert at_work.wait(30)
    assert [job.run_id for job in manager(eve).jobs()] == [run.id]
    go_on.set()
    wait_until_idle(manager(eve), 30)


MODEL = ImportedModel(
    id="", path=Path(), name="A model", file_name="model.keras", classes=("a", "b"), image_size=32, outputs=2,
    parameters=1, size=1, sha256="0" * 64,
)  # fmt: skip


@pytest.fixture
def hers(room):
    """A run that waits, one that has ended, one that was cut off, a dataset and a model: Ada's, shared with all."""
    ada = of(room, "ada@example.org")
    dataset = import_coloured(ada, COLOURS)
    waiting, ended, cut_off = (create_run(ada, TrainingConfig(), dataset) for _ in range(3))
    update_run(ended.path, status="stopped")
    update_run(cut_off.path, status="interrupted", owner=None)
    model = replace(MODEL, id="a-model-" + "0" * 32, path=room.models / ("a-model-" + "0" * 32))
    save_record(model)
    claim(ada, model.path)
    for thing in (dataset, waiting, ended, cut_off, model):
        share(ada, thing.path, True)
    return SimpleNamespace(dataset=dataset, waiting=waiting, ended=ended, cut_off=cut_off, model=model)


WRITES = {
    "annotate": lambda by, hers: annotate_run(by, hers.ended.id, name="Mine"),
    "delete a run": lambda by, hers: delete_run(by, hers.ended.id),
    "calibrate": lambda by, hers: save_calibration(by, hers.ended, Calibration(model_sha256="0" * 64, threshold=1)),
    "share a run": lambda by, hers: share(by, hers.ended.path, False),
    "start": lambda by, hers: manager(by).submit(hers.waiting.id),
    "resume": lambda by, hers: manager(by).resume(hers.cut_off.id),
    "extend": lambda by, hers: manager(by).extend(hers.ended.id, 5),
    "stop": lambda by, hers: manager(by).stop(hers.waiting.id),
    "cancel": lambda by, hers: manager(by).cancel(hers.waiting.id),
    "rename a dataset": lambda by, hers: rename_dataset(by, hers.dataset.id, "Mine"),
    "delete a dataset": lambda by, hers: delete_dataset(by, hers.dataset.id),
    "share a dataset": lambda by, hers: share(by, hers.dataset.path, False),
    "delete a model": lambda by, hers: delete_imported_model(by, hers.model.id),
}


def contents(room):
    return {path: path.read_bytes() for path in room.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("write", WRITES)
def test_another_person_can_use_what_is_shared_and_changes_nothing(room, hers, write):
    before = contents(room)
    with pytest.raises(NotYoursError, match=r"somebody else's|yours alone"):
        WRITES[write](of(room, "eve@example.org"), hers)
    assert contents(room) == before


@pytest.mark.parametrize("act", ["stop", "cancel"])
def test_another_person_cannot_end_a_run_in_the_queue(room, hers, monkeypatch, act):
    ada, eve = of(room, "ada@example.org"), of(room, "eve@example.org")
    asked_to_stop, go_on = [], threading.Event()

    def train(_config, _dataset, path, should_stop):
        assert go_on.wait(30)
        asked_to_stop.append(should_stop())
        update_run(path, status="done")

    jobs = JobManager(room, ThreadRunner(train=train))
    monkeypatch.setattr(queue, "_queue_of_this_process", lambda: jobs)
    second = create_run(ada, TrainingConfig(), hers.dataset)
    for run in (hers.waiting, second):
        manager(ada).submit(run.id)
        share(ada, run.path, True)
    for run in (hers.waiting, second):  # one works, the other waits
        with pytest.raises(NotYoursError):
            getattr(manager(eve), act)(run.id)
    go_on.set()
    wait_until_idle(manager(ada), 30)
    assert asked_to_stop == [False, False]
    assert [find_run(ada, run.id).status for run in (hers.waiting, second)] == ["done", "done"]


def test_the_owner_may_do_it_all(room, hers):
    ada = of(room, "ada@example.org")
    assert annotate_run(ada, hers.ended.id, name="Hers").name == "Hers"
    assert rename_dataset(ada, hers.dataset.id, "Hers").name == "Hers"
    delete_run(ada, hers.ended.id)
    delete_dataset(ada, hers.dataset.id)
    delete_imported_model(ada, hers.model.id)
    assert {run.id for run in list_runs(ada)} == {hers.waiting.id, hers.cut_off.id}
    assert list_datasets(ada) == list_imported_models(ada) == []
