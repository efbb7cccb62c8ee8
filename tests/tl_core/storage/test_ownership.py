"""Whose something is, and who may see it."""

from __future__ import annotations

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.config import TrainingConfig
from tl_core.data import list_datasets
from tl_core.errors import NotYoursError
from tl_core.jobs import manager
from tl_core.runs import create_run, find_run, list_runs
from tl_core.storage.ownership import FILE, belonging, is_mine, person_id, require_mine, share
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
        require_mine(eve, run.path, "run")
    with pytest.raises(NotYoursError):
        share(eve, run.path, False)
    share(ada, run.path, False)
    assert list_runs(eve) == []


def test_what_nobody_owns_is_everybodys_and_who_asks_for_nobody_sees_all(room):
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


def test_one_queue_serves_all(room):
    ada, eve = of(room, "ada@example.org"), of(room, "eve@example.org")
    assert manager(ada) is manager(eve)
