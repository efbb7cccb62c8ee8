"""Work in the background of a page."""

from __future__ import annotations

import threading

import pytest

from tl_core.errors import ArchiveError, StoppedError
from ui.state.background_tasks import BackgroundTasks

SECONDS = 10
UNEXPECTED = "It ended because of an unexpected error."


@pytest.fixture
def tasks():
    return BackgroundTasks[str]("import", at_a_time=2, remembered=3, unexpected=UNEXPECTED)


def wait_for_end(tasks, task_id):
    ended = threading.Event()
    for _ in range(SECONDS * 100):
        task = tasks.find(task_id)
        if task.ended:
            return task
        ended.wait(0.01)
    raise AssertionError(f"Still not ended: {task}")


class Held:
    """Work that begins, says so, and goes on when it is let."""

    def __init__(self):
        self.begun, self.go_on = threading.Semaphore(0), threading.Event()

    def __call__(self, context):
        context.report(5, 20, "downloading")
        self.begun.release()
        assert self.go_on.wait(SECONDS)
        return "made"

    def wait_until_begun(self):
        assert self.begun.acquire(timeout=SECONDS)


def test_a_finished_task_has_its_result(tasks):
    task = wait_for_end(tasks, tasks.start("pets.zip", lambda context: "made"))
    assert (task.state, task.result, task.title) == ("done", "made", "pets.zip")


def test_progress_is_seen_while_it_works(tasks):
    held = Held()
    task_id = tasks.start("flowers", held, "here")
    held.wait_until_begun()
    (task,) = tasks.running("here")
    assert (task.state, task.progress.text, task.progress.fraction) == ("working", "downloading", 0.25)
    assert tasks.running("elsewhere") == ()
    held.go_on.set()
    wait_for_end(tasks, task_id)
    assert tasks.running("here") == ()
    assert tasks.latest("here").id == task_id


def test_cancelling_stops_the_work(tasks):
    def work(context):
        stop = threading.Event()
        while not context.should_stop():
            stop.wait(0.01)
        raise StoppedError("Stopped.")

    task_id = tasks.start("pets.zip", work)
    tasks.cancel(task_id)
    task = wait_for_end(tasks, task_id)
    assert (task.state, task.stopping, task.result) == ("stopped", True, None)


def fail_in_words(context):
    raise ArchiveError("The zip is empty: choose another one.")


def fail_unexpectedly(context):
    raise KeyError("boom")


@pytest.mark.parametrize(
    ("work", "sentence"), [(fail_in_words, "The zip is empty: choose another one."), (fail_unexpectedly, UNEXPECTED)]
)
def test_a_failure_is_one_sentence(tasks, work, sentence):
    task = wait_for_end(tasks, tasks.start("pets.zip", work))
    assert (task.state, task.error) == ("failed", sentence)


def test_only_so_many_work_at_a_time(tasks):
    held = Held()
    ids = [tasks.start(str(number), held) for number in range(3)]
    held.wait_until_begun()
    held.wait_until_begun()
    assert sorted(task.state for task in tasks.running("")) == ["waiting", "working", "working"]
    held.go_on.set()
    assert {wait_for_end(tasks, task_id).state for task_id in ids} == {"done"}


def test_a_second_start_for_the_same_subject_begins_nothing_if_it_is_to_be_alone(tasks):
    held = Held()
    first = tasks.start("onnx", held, "run", alone=True)
    assert tasks.start("keras", held, "run", alone=True) == first
    assert tasks.start("keras", held, "another run", alone=True) != first
    held.go_on.set()
    wait_for_end(tasks, first)
    assert tasks.start("keras", held, "run", alone=True) != first


def test_the_oldest_ended_ones_are_forgotten(tasks):
    ids = []
    for number in range(4):
        ids.append(tasks.start(str(number), lambda context: "made"))
        wait_for_end(tasks, ids[-1])
    assert [tasks.find(task_id) is not None for task_id in ids] == [False, True, True, True]


def test_an_unknown_task_is_none(tasks):
    assert tasks.find("no such id") is None
    assert tasks.find(None) is None
    assert tasks.latest("nobody") is None
