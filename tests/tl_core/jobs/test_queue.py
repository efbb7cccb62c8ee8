"""The queue with real threads and real run folders; only the training itself is replaced, at the design's seam."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tl_core.jobs.thread_runner import ThreadRunner
from tests.tl_core.jobs.waiting import wait_until_idle
from tests.tl_core.runs.conftest import FakeDataset
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, DivergedError, NotYoursError, RunNotFoundError, StoppedError, WorkspaceError
from tl_core.jobs import JobManager
from tl_core.runs import create_run, delete_run, find_run, list_runs, load_run, read_events, update_run
from tl_core.runs.record import CHECKPOINT_FILE, Owner
from tl_core.storage.ownership import person_id
from tl_core.storage.workspace import Workspace

PATIENCE = 30  # seconds until a condition that should come at once counts as never coming


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path).ensure()


class Trainer:
    """A train function that says when it began and ends when it is told to."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.lock = threading.Lock()
        self.running = 0
        self.most_at_once = 0
        self.release = threading.Event()
        self.started = threading.Semaphore(0)

    def __call__(self, config, dataset, run, should_stop) -> None:
        with self.lock:
            self.began.append(run.name)
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
        update_run(run, status="running")
        self.started.release()
        while not (self.release.wait(0.005) or should_stop()):
            pass
        update_run(run, status="stopped" if should_stop() else "done")
        with self.lock:
            self.running -= 1


def queued(workspace: Workspace, name: str = "Run") -> str:
    return create_run(workspace, TrainingConfig(), FakeDataset(), name=name).id


def test_ten_clicks_make_ten_runs_one_after_the_other_in_order(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    ids = [queued(workspace) for _ in range(10)]
    jobs.submit(ids[0])
    assert trainer.started.acquire(timeout=PATIENCE)
    for run_id in ids[1:]:
        jobs.submit(run_id)
    assert [(job.run_id, job.position) for job in jobs.jobs()] == [(run_id, n) for n, run_id in enumerate(ids)]
    trainer.release.set()
    wait_until_idle(jobs, PATIENCE)
    assert trainer.began == ids
    assert trainer.most_at_once == 1


def test_ten_starts_at_the_same_moment_make_one_training_and_nine_that_wait(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    ids = [queued(workspace) for _ in range(10)]
    together = threading.Barrier(10)

    def start(run_id: str) -> None:
        together.wait(PATIENCE)
        jobs.submit(run_id)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(start, ids))
    assert trainer.started.acquire(timeout=PATIENCE)
    order = [job.run_id for job in jobs.jobs()]
    assert sorted(order) == sorted(ids)
    assert trainer.began == order[:1]
    trainer.release.set()
    wait_until_idle(jobs, PATIENCE)
    assert trainer.began == order
    assert trainer.most_at_once == 1


def test_submitting_one_run_from_many_threads_trains_it_once(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    blocker, run_id = queued(workspace), queued(workspace)
    jobs.submit(blocker)
    assert trainer.started.acquire(timeout=PATIENCE)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(jobs.submit, [run_id] * 10))
    trainer.release.set()
    wait_until_idle(jobs, PATIENCE)
    assert trainer.began == [blocker, run_id]


def test_stop_reaches_the_training_and_keeps_the_run(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    run_id = queued(workspace)
    jobs.submit(run_id)
    assert trainer.started.acquire(timeout=PATIENCE)
    assert jobs.stop(run_id)
    wait_until_idle(jobs, PATIENCE)
    assert find_run(workspace, run_id).status == "stopped"
    assert not jobs.stop(run_id)


def test_cancel_throws_the_run_away(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    working, waiting = queued(workspace), queued(workspace)
    jobs.submit(working)
    assert trainer.started.acquire(timeout=PATIENCE)
    jobs.submit(waiting)
    assert jobs.cancel(waiting)
    assert jobs.cancel(working)
    wait_until_idle(jobs, PATIENCE)
    assert list_runs(workspace) == []
    assert trainer.began == [working]


def test_stopping_a_waiting_run_takes_it_out_of_the_queue(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    working, waiting = queued(workspace), queued(workspace)
    jobs.submit(working)
    assert trainer.started.acquire(timeout=PATIENCE)
    jobs.submit(waiting)
    assert jobs.stop(waiting)
    assert find_run(workspace, waiting).status == "stopped"
    assert jobs.job(waiting) is None
    trainer.release.set()
    wait_until_idle(jobs, PATIENCE)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (DivergedError("The loss became infinite."), "failed", "The loss became infinite."),
        (StoppedError("Stopped before the first epoch."), "stopped", "Stopped before the first epoch."),
        (ZeroDivisionError("secret detail"), "failed", "unexpected error"),
    ],
)
def test_an_error_ends_its_run_with_a_sentence_and_the_next_run_works(workspace, error, status, text):
    def train(config, dataset, run, should_stop) -> None:
        if run.name == first:
            raise error
        update_run(run, status="done")

    jobs = JobManager(workspace, ThreadRunner(train=train))
    first, second = queued(workspace), queued(workspace)
    jobs.submit(first)
    jobs.submit(second)
    wait_until_idle(jobs, PATIENCE)
    run = find_run(workspace, first)
    assert run.status == status
    end = read_events(run.folder.events_file)[-1]
    assert end["status"] == status
    assert text in end["text"]
    assert "secret detail" not in end["text"]
    assert find_run(workspace, second).status == "done"


def test_what_a_training_has_recorded_of_its_end_is_neither_recorded_nor_logged_again(workspace, caplog):
    def train(config, dataset, run, should_stop) -> None:
        update_run(run, status="failed", error="In the training's own words.")
        raise DivergedError("The loss became infinite.")

    jobs = JobManager(workspace, ThreadRunner(train=train))
    run_id = queued(workspace)
    with caplog.at_level(logging.INFO):
        jobs.submit(run_id)
        wait_until_idle(jobs, PATIENCE)
    run = find_run(workspace, run_id)
    assert run.error == "In the training's own words."
    assert read_events(run.folder.events_file) == []
    assert "infinite" not in caplog.text


def test_an_interrupted_run_is_resumed_and_no_other(workspace):
    resumed = []

    def resume(config, dataset, run, should_stop) -> None:
        resumed.append(run.name)
        update_run(run, status="done")

    jobs = JobManager(workspace, ThreadRunner(resume=resume))
    run_id = queued(workspace)
    with pytest.raises(WorkspaceError, match="not interrupted"):
        jobs.resume(run_id)
    update_run(workspace.runs / run_id, status="running", owner=None)
    assert load_run(workspace.runs / run_id).status == "interrupted"
    jobs.resume(run_id)
    wait_until_idle(jobs, PATIENCE)
    assert resumed == [run_id]
    assert find_run(workspace, run_id).status == "done"


def test_more_epochs_are_for_a_run_that_has_ended_and_whose_last_epoch_is_kept(workspace):
    extended = []

    def extend(config, dataset, run, should_stop) -> None:
        extended.append(config.epochs)
        update_run(run, status="done")

    jobs = JobManager(workspace, ThreadRunner(extend=extend))
    run_id = queued(workspace)
    with pytest.raises(WorkspaceError, match="not kept: train again"):
        jobs.extend(run_id, 5)
    folder = update_run(workspace.runs / run_id, status="stopped").folder
    folder.model_file.write_bytes(b"a model")
    (folder.path / CHECKPOINT_FILE).write_bytes(b"its last epoch")
    with pytest.raises(ConfigError, match="Epochs must be"):
        jobs.extend(run_id, 1000)
    before = find_run(workspace, run_id).config.epochs
    jobs.extend(run_id, 5)
    wait_until_idle(jobs, PATIENCE)
    assert extended == [before + 5]
    assert find_run(workspace, run_id).config.epochs == before + 5


def test_only_a_waiting_run_can_be_submitted(workspace):
    jobs = JobManager(workspace, ThreadRunner(train=Trainer()))
    run_id = queued(workspace)
    update_run(workspace.runs / run_id, status="done")
    with pytest.raises(WorkspaceError, match="started before"):
        jobs.submit(run_id)
    with pytest.raises(RunNotFoundError):
        jobs.submit("nothing")


def at_work_and_waiting(workspace, jobs, trainer, count=3):
    """One run at work, and so many that wait."""
    ids = [queued(workspace, f"Run {number}") for number in range(count + 1)]
    jobs.submit(ids[0])
    assert trainer.started.acquire(timeout=PATIENCE)
    for run_id in ids[1:]:
        jobs.submit(run_id)
    return ids


def test_waiting_runs_change_places(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    first, a, b, c = at_work_and_waiting(workspace, jobs, trainer)
    assert jobs.movable() == (a, b, c)
    assert jobs.move(c, -1)
    assert jobs.move(a, 1)
    assert [job.run_id for job in jobs.jobs()] == [first, c, a, b]
    assert not jobs.move(c, -1), "it is the first that waits"
    assert not jobs.move(b, 1)
    assert not jobs.move(first, 1), "it does not wait"
    trainer.release.set()
    wait_until_idle(jobs, PATIENCE)
    assert trainer.began == [first, c, a, b]


def test_what_waits_when_the_program_ends_is_taken_up_in_its_order_by_the_next(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    first, a, b, c = at_work_and_waiting(workspace, jobs, trainer)
    jobs.move(c, -1)
    for run_id in (first, a, b, c):  # as another process finds it
        update_run(workspace.runs / run_id, owner=Owner(pid=1, started=0.0))
    assert [find_run(workspace, run_id).status for run_id in (first, a, b, c)] == ["interrupted", *["queued"] * 3]

    after = Trainer()
    after.release.set()
    later = JobManager(workspace, ThreadRunner(train=after))
    later.open()
    wait_until_idle(later, PATIENCE)
    assert after.began == [a, c, b]
    trainer.release.set()


def test_a_run_that_never_got_into_the_queue_does_not_wait(workspace):
    run_id = queued(workspace)
    update_run(workspace.runs / run_id, owner=Owner(pid=1, started=0.0))
    assert find_run(workspace, run_id).status == "interrupted"
    later = JobManager(workspace, ThreadRunner(train=Trainer()))
    later.open()
    assert later.jobs() == ()


def test_what_waits_for_a_program_that_is_gone_can_be_deleted(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    first, a = at_work_and_waiting(workspace, jobs, trainer, count=1)
    with pytest.raises(WorkspaceError, match="in progress"):
        delete_run(workspace, a)
    update_run(workspace.runs / a, owner=Owner(pid=1, started=0.0))
    delete_run(workspace, a)
    assert [run.id for run in list_runs(workspace)] == [first]
    trainer.release.set()
    wait_until_idle(jobs, PATIENCE)
    assert trainer.began == [first], "what was deleted is not trained"


def test_two_at_a_time_where_there_is_room_for_two(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(slots=2, train=trainer))
    ids = [queued(workspace) for _ in range(4)]
    for run_id in ids:
        jobs.submit(run_id)
    for _ in range(2):
        assert trainer.started.acquire(timeout=PATIENCE)
    assert [job.position for job in jobs.jobs()] == [0, 0, 1, 2]
    trainer.release.set()
    wait_until_idle(jobs, PATIENCE)
    assert trainer.most_at_once == 2


def test_nobody_is_moved_behind_somebody_else(workspace):
    trainer = Trainer()
    jobs = JobManager(workspace, ThreadRunner(train=trainer))
    ada, eve = (
        replace(workspace, person=person_id(workspace, name)) for name in ("ada@example.org", "eve@example.org")
    )
    ids = [queued(ada), queued(ada), queued(eve), queued(ada)]
    for run_id, person in zip(ids, (ada, ada, eve, ada), strict=True):
        jobs.of(person).submit(run_id)
    assert trainer.started.acquire(timeout=PATIENCE)
    with pytest.raises(NotYoursError):
        jobs.of(eve).move(ids[1], 1)
    assert not jobs.of(eve).move(ids[2], -1)
    assert jobs.of(ada).move(ids[3], -1)
    assert [job.run_id for job in jobs.jobs()] == [ids[0], ids[3], ids[2], ids[1]]
    trainer.release.set()
    wait_until_idle(jobs, PATIENCE)
