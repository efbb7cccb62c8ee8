"""A run as a real MLflow server shows it: live, resumed, however it ended, and while the server is away."""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import partial

import pytest

from tests.tl_core.jobs.waiting import wait_until
from tests.tl_core.small_trainings import QUICK, Trained
from tests.tl_core.training.mlflow_server import MlflowServer
from tl_core.command_line import main
from tl_core.command_line.tracking import check_trackers
from tl_core.errors import TrackingError
from tl_core.runs import EventLog, RunFolder, annotate_run, create_run, load_run, update_run
from tl_core.runs.store import delete_run, now, with_more_epochs
from tl_core.runs.tracking import settings
from tl_core.runs.tracking.follower import follow
from tl_core.runs.tracking.mlflow_run import OUR_ID
from tl_core.runs.tracking.sent import sent_of
from tl_core.runs.tracking.settings import EXPERIMENT, MLFLOW, URI, Tracking
from tl_core.storage.files import write_json
from tl_core.training import extend
from tl_core.training.callbacks import mlflow

NO_PROCESS = 2**22 + 1  # above the highest number that Linux gives a process


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    yield running
    running.kill()


@pytest.fixture
def tracked(server, monkeypatch):
    """The environment asks for every run to be sent to the server."""
    monkeypatch.setenv(MLFLOW, "1")
    monkeypatch.setenv(URI, server.url)
    monkeypatch.setenv(EXPERIMENT, "Colours")
    return server


def at_mlflow(server, folder):
    """The run as the server tells it: its data, and the status."""
    found = server.ask("runs/get", run_id=sent_of(folder).run_id)["run"]
    data = found["data"]
    return {
        "status": found["info"]["status"],
        "inputs": found["inputs"],
        **{kind: {entry["key"]: entry["value"] for entry in data.get(kind, [])} for kind in ("params", "tags")},
    }


def history(server, folder, name):
    """``{step: value}`` of a metric; a step that was sent twice is one."""
    found = server.ask("metrics/get-history", run_id=sent_of(folder).run_id, metric_key=name).get("metrics", [])
    assert len({(point["step"], point["timestamp"]) for point in found}) == len(found)
    return {point["step"]: point["value"] for point in found}


@pytest.mark.slow
def test_a_run_is_there_as_its_folder_tells_it_and_longer_it_is_the_same_one(
    tracked, train_run, dataset, monkeypatch
):
    monkeypatch.setenv(MLFLOW, "model")
    run = train_run(dataset, epochs=3)
    mlflow.wait_until_sent(60)
    there = at_mlflow(tracked, run.folder)
    assert there["status"] == "FINISHED"
    assert there["params"].items() >= {"backbone": "vgg16", "epochs": "3", "head.dropout": "0.0"}.items()
    assert there["tags"][OUR_ID] == run.record.id
    assert there["tags"]["dataset.revision"] == "1"
    (used,) = there["inputs"]["dataset_inputs"]
    assert used["dataset"]["name"] == dataset.name
    assert run.record.dataset_fingerprint.startswith(used["dataset"]["digest"])
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        expected = {event["epoch"]: event[name] for event in run.epochs}
        assert history(tracked, run.folder, name) == pytest.approx(expected)
    assert history(tracked, run.folder, "best_val_loss") == {3: pytest.approx(run.record.best.val_loss)}
    assert len(history(tracked, run.folder, "test_accuracy")) == 1
    assert len(history(tracked, run.folder, "batch_loss")) >= 1
    files = tracked.ask("artifacts/list", run_id=sent_of(run.folder).run_id, path="model")["files"]
    assert [file["path"] for file in files] == ["model/best.keras", "model/labels.json"]
    assert int(files[0]["file_size"]) == run.folder.model_file.stat().st_size
    assert not [note for note in run.notes if "MLflow" in note]

    first = sent_of(run.folder)
    update_run(run.record.path, config=with_more_epochs(run.record, 2))
    extend(load_run(run.record.path).config, dataset.path, run.record.path, lambda: False)
    mlflow.wait_until_sent(60)
    assert sent_of(run.folder).run_id == first.run_id
    there = at_mlflow(tracked, run.folder)
    assert (there["status"], there["params"]["epochs"], there["tags"]["now.epochs"]) == ("FINISHED", "3", "5")
    assert list(history(tracked, run.folder, "val_loss")) == [1, 2, 3, 4, 5]


@pytest.fixture
def told(workspace, dataset):
    """``told(status, ...)`` -> the folder of a run that works, or has ended so."""

    def make(status="running", **changes):
        run = create_run(workspace, QUICK, dataset)
        update_run(run.path, status=status, started=now(), **changes)
        return run.folder

    return make


def tell_epochs(folder, first, last, loss=0.5):
    with EventLog(folder.events_file) as events:
        for epoch in range(first, last + 1):
            values = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"), loss)
            events.write("epoch", epoch=epoch, seconds=1.0, **values)


def never(seconds):
    raise AssertionError("there is nothing to wait for")


@pytest.mark.parametrize(
    ("status", "there"), [("done", "FINISHED"), ("stopped", "KILLED"), ("failed", "FAILED"), ("gone", "KILLED")]
)
def test_however_it_ends_it_says_so(tracked, told, status, there):
    if status == "gone":
        folder = told()
        update_run(folder.path, owner=replace(load_run(folder.path).owner, pid=NO_PROCESS))
    else:
        folder = told(status, finished=now(), error="The loss became infinite." if status == "failed" else None)
    tell_epochs(folder, 1, 2)
    assert follow(folder, Tracking.from_environment(), never).problem is None
    found = at_mlflow(tracked, folder)
    assert found["status"] == there
    assert found["tags"]["end"] == {"failed": "The loss became infinite.", "gone": "interrupted"}.get(status, status)
    assert list(history(tracked, folder, "loss")) == [1, 2]


def test_a_run_that_is_discarded_is_killed_there_and_not_made_anew_here(tracked, told, workspace):
    folder = told()
    tell_epochs(folder, 1, 1)

    def discard(seconds):
        update_run(folder.path, status="stopped")
        delete_run(workspace, folder.path.name)

    sent = follow(folder, Tracking.from_environment(), discard)
    assert tracked.ask("runs/get", run_id=sent.run_id)["run"]["info"]["status"] == "KILLED"
    assert not folder.path.exists()


def test_epochs_that_are_trained_again_are_sent_again_to_the_same_run_of_a_folder(
    server, told, tmp_path, monkeypatch
):
    (tmp_path / "logs").mkdir()
    server.copy_database(tmp_path / "logs" / "mlflow.db")  # to make one takes seconds
    monkeypatch.setenv(URI, str(tmp_path / "logs"))
    tracking = Tracking.from_environment()
    folder = told()
    steps = iter(
        [
            lambda: tell_epochs(folder, 1, 3),
            lambda: None,
            lambda: _cut(folder),  # while it is followed
            lambda: update_run(folder.path, status="stopped"),
        ]
    )
    first = follow(folder, tracking, lambda _: next(steps)())
    _cut(folder)  # and after that
    update_run(folder.path, status="done")
    second = follow(folder, tracking, never)
    assert (second.run_id, second.page) == (first.run_id, "")

    from mlflow import MlflowClient

    found = MlflowClient(f"sqlite:///{tmp_path / 'logs' / 'mlflow.db'}").get_metric_history(first.run_id, "loss")
    assert [(point.step, point.value) for point in found] == [
        *((1, 0.5), (2, 0.5), (3, 0.5)),
        *((3, 0.25), (4, 0.25)),
        *((3, 0.25), (4, 0.25)),
    ]


def _cut(folder):
    with EventLog(folder.events_file) as events:
        events.forget_epochs_from(3)
    tell_epochs(folder, 3, 4, loss=0.25)


def test_a_server_that_takes_connections_and_never_answers_costs_a_training_nothing(
    tracked, train_run, dataset, monkeypatch
):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(URI, f"http://127.0.0.1:{silent.getsockname()[1]}")
        run = train_run(dataset, epochs=2)
        assert run.record.status == "done"
        silent.settimeout(60)
        with silent.accept()[0]:
            (follower,) = [process for process in mlflow._followers if process.poll() is None]
            follower.kill()
            follower.wait()
    assert sent_of(run.folder).run_id == ""


def test_a_server_that_refuses_is_told_by_its_reason_and_given_up_after_the_end(tracked, told, monkeypatch, capsys):
    monkeypatch.setenv(EXPERIMENT, "x" * 10_000)  # no name that it takes
    folder = told("done", finished=now())
    waited = []
    sent = follow(folder, Tracking.from_environment(), waited.append, patience=10)
    assert waited == [2, 4]
    assert "did not take all of this run" in sent.problem
    assert f"track {folder.path.name}" in sent.problem
    monkeypatch.setenv("TL_WORKSPACE", str(folder.workspace.root))
    assert main(["track", folder.path.name]) == 2
    assert "did not take all of this run" in capsys.readouterr().err


@pytest.mark.slow
def test_a_server_that_is_killed_in_mid_run_gets_the_rest_once_it_is_back(
    tracked, train_run, dataset, monkeypatch, capsys
):
    steps = iter([lambda folder: sent_of(folder).events > 3, lambda folder: sent_of(folder).problem])
    at = next(steps)

    def kill_and_go_on(path):
        nonlocal at
        folder = RunFolder(path)
        if at is not None and len(Trained(path).epochs) >= 2:
            wait_until(partial(at, folder))
            tracked.kill()
            at = next(steps, None)
        return False

    run = train_run(dataset, kill_and_go_on, epochs=4)
    assert run.record.status == "done"
    assert [epoch["epoch"] for epoch in run.epochs] == [1, 2, 3, 4]
    (note,) = [note for note in run.notes if "MLflow" in note]
    assert tracked.url in note
    assert "what is missing is sent later" in note

    tracked.start()
    monkeypatch.setenv("TL_WORKSPACE", str(run.record.workspace.root))
    assert main(["track", run.record.id]) == 0
    assert sent_of(run.folder).page in capsys.readouterr().out
    assert at_mlflow(tracked, run.folder)["status"] == "FINISHED"
    assert list(history(tracked, run.folder, "val_loss")) == [1, 2, 3, 4]
    assert sent_of(run.folder).problem is None


def test_what_is_missing_is_a_sentence_in_the_log_of_the_run(train_run, dataset, monkeypatch):
    monkeypatch.setenv(MLFLOW, "1")
    monkeypatch.delenv(URI, raising=False)
    run = train_run(dataset, epochs=1)
    assert [note for note in run.notes if "MLFLOW_TRACKING_URI has to name" in note]
    assert not run.folder.tracking_folder.exists()
    monkeypatch.setenv(URI, "http://127.0.0.1:1")
    monkeypatch.setattr(settings, "find_spec", lambda _: None)
    with pytest.raises(TrackingError, match="“pip install mlflow-skinny”"):
        Tracking.from_environment()
    monkeypatch.setenv(MLFLOW, "yes")
    with pytest.raises(TrackingError, match="Received: yes"):
        Tracking.from_environment()


def test_the_doctor_asks_the_server(tracked, monkeypatch, tmp_path):
    ((name, text, advice),) = check_trackers()
    assert (name, advice) == ("MLflow", None)
    assert tracked.url in text
    monkeypatch.setenv(URI, "http://somebody:a-secret@127.0.0.1:1")
    ((_, _, advice),) = check_trackers()
    assert "MLflow at http://127.0.0.1:1 does not answer" in advice
    assert "a-secret" not in advice
    monkeypatch.setenv(MLFLOW, "0")
    (tmp_path / "logs").write_text("a file")
    monkeypatch.setenv("TL_TENSORBOARD", str(tmp_path / "logs"))
    ((name, _, advice),) = check_trackers()
    assert (name, "cannot be written" in advice) == ("TensorBoard", True)


def test_tags_and_notes_of_a_person_go_along(tracked, told, workspace):
    folder = told("done", finished=now())
    annotate_run(workspace, folder.path.name, name="The first", notes="Brighter.", tags=["Baseline", "group 3"])
    write_json(folder.metrics_file, {"epochs": 2, "test": {"loss": 0.5, "accuracy": 0.75}})
    follow(folder, Tracking.from_environment(), never)
    tags = at_mlflow(tracked, folder)["tags"]
    assert (tags["mlflow.runName"], tags["mlflow.note.content"], tags["tags"]) == (
        "The first",
        "Brighter.",
        "Baseline, group 3",
    )
    assert history(tracked, folder, "test_accuracy") == {2: 0.75}
