"""Imports in the background."""

from __future__ import annotations

import threading

import pytest

from tl_core.errors import ArchiveError, StoppedError
from ui.datasets import import_task
from ui.datasets.import_task import AT_A_TIME, UNEXPECTED, cancel_import, running_imports, start_import

SECONDS = 10


def wait_for_end(task_id):
    ended = threading.Event()
    for _ in range(SECONDS * 100):
        task = import_task.import_task(task_id)
        if task.ended:
            return task
        ended.wait(0.01)
    raise AssertionError(f"Still not ended: {task}")


def test_a_finished_import_names_its_dataset(workspace, dataset):
    task = wait_for_end(start_import(workspace, "pets.zip", lambda to: dataset))
    assert (task.state, task.dataset_id, task.title) == ("done", dataset.id, "pets.zip")


def test_progress_is_seen_while_it_works(workspace, dataset):
    go_on, reached = threading.Event(), threading.Event()

    def work(to):
        to.download_progress(5, 20)
        reached.set()
        assert go_on.wait(SECONDS)
        return dataset

    task_id = start_import(workspace, "flowers", work)
    assert reached.wait(SECONDS)
    (task,) = running_imports(workspace)
    assert (task.state, task.fraction) == ("downloading", 0.25)
    go_on.set()
    wait_for_end(task_id)
    assert running_imports(workspace) == ()


def test_cancelling_stops_the_work(workspace):
    def work(to):
        stop = threading.Event()
        while not to.should_stop():
            stop.wait(0.01)
        raise StoppedError("Stopped.")

    task_id = start_import(workspace, "pets.zip", work)
    cancel_import(task_id)
    assert wait_for_end(task_id).state == "stopped"


def fail_in_words(to):
    raise ArchiveError("The zip is empty: choose another one.")


def fail_unexpectedly(to):
    raise KeyError("boom")


@pytest.mark.parametrize(
    ("work", "sentence"), [(fail_in_words, "The zip is empty: choose another one."), (fail_unexpectedly, UNEXPECTED)]
)
def test_a_failure_is_one_sentence(workspace, work, sentence):
    task = wait_for_end(start_import(workspace, "pets.zip", work))
    assert (task.state, task.error) == ("failed", sentence)


def test_only_so_many_work_at_a_time(workspace, dataset):
    go_on, at_work = threading.Event(), threading.Semaphore(0)

    def work(to):
        at_work.release()
        assert go_on.wait(SECONDS)
        return dataset

    ids = [start_import(workspace, str(number), work) for number in range(AT_A_TIME + 1)]
    for _ in range(AT_A_TIME):
        assert at_work.acquire(timeout=SECONDS)
    states = [task.state for task in running_imports(workspace)]
    assert sorted(states) == ["importing"] * AT_A_TIME + ["waiting"]
    go_on.set()
    assert {wait_for_end(task_id).state for task_id in ids} == {"done"}


def test_an_unknown_import_is_none():
    assert import_task.import_task("no such id") is None
