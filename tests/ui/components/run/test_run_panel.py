"""The panel of one run, driven without a browser."""

from __future__ import annotations

import json
import math
import re
import threading
import time

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.tl_core.figures.run_events import two_phase_run
from tests.tl_core.jobs.thread_runner import ThreadRunner
from tests.tl_core.jobs.waiting import wait_until_idle
from tests.ui.pages_without_browser import ROOT, checked, open_page, press, run_until, texts
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.config import TrainingConfig
from tl_core.config.presets import PRESETS
from tl_core.data import delete_dataset
from tl_core.evaluation.evaluate import evaluate_run
from tl_core.jobs import JobManager
from tl_core.jobs.supervisor import HUNG
from tl_core.runs import EventLog, RunFolder, create_run, find_run, list_runs, update_run
from tl_core.runs.record import CHECKPOINT_FILE
from tl_core.runs.store import now
from ui.components.run.run_panel import may_change

SECONDS = 20


class ScriptedTraining:
    """Stands in for the training that the queue calls: writes events up to a point and waits there."""

    def __init__(self):
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, config, dataset_path, run_path, should_stop):
        update_run(run_path, status="running", started=now())
        folder, events = RunFolder(run_path), two_phase_run(head=4, fine_tune=3)
        with EventLog(folder.events_file) as writer:
            for event in events[:36]:
                writer.write(**event)
            folder.model_file.write_bytes(b"a model")
            self.reached.set()
            wait = threading.Event()
            while not self.go_on.is_set() and not should_stop():
                wait.wait(0.01)
            status = "stopped" if should_stop() else "done"
            writer.write("end", status=status, text="Done: 83.3 % of the validation images right.")
        update_run(run_path, status=status, finished=now(), device="CPU (float32)")


@pytest.fixture
def training(workspace, monkeypatch):
    scripted = ScriptedTraining()
    jobs = JobManager(workspace, ThreadRunner(train=scripted, resume=scripted))
    monkeypatch.setattr("tl_core.jobs.queue._queue_of_this_process", lambda: jobs)
    scripted.jobs = jobs
    yield scripted
    scripted.go_on.set()
    wait_until_idle(jobs, SECONDS)


def open_panel(run_id):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    at.switch_page("pages/2_Train.py")
    at.query_params["run"] = run_id
    return checked(at.run())


def start(workspace, dataset, training, name="A run"):
    run = create_run(workspace, TrainingConfig(), dataset, name)
    training.jobs.submit(run.id)
    return run


def payload(at):
    (chart,) = [part for part in at.get("bidi_component") if "live_chart" in part.proto.component_name]
    return json.loads(chart.proto.json)


def metrics(at):
    return {metric.label: metric.value for metric in at.metric}


def test_a_run_at_work_shows_where_it_stands(workspace, dataset, training):
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    at = open_panel(run.id)
    assert "**A run**" in texts(at)
    assert "Epoch 4 of 4" in texts(at)
    assert 0 < at.progress[0].value < 100
    assert metrics(at) == {
        "Validation accuracy": "83.3 %",
        "Kept so far: epoch 3": "83.3 %",
        "Validation loss": "0.667",
        "Training accuracy": "50.0 %",
    }
    assert " so far · " in texts(at)
    assert "CPU" in texts(at)


def test_the_chart_gets_the_curves_and_a_key_that_stays(workspace, dataset, training):
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    at = open_panel(run.id)
    before = payload(at)
    assert before["description"].startswith("Training curves over epochs 1 to 3")
    assert before["plotly_url"].startswith("app/static/plotly-")
    training.go_on.set()
    run_until(at, lambda at: at.success)
    after = payload(at)
    assert after["revision"] == before["revision"]
    assert [trace["uid"] for trace in after["traces"]] == [trace["uid"] for trace in before["traces"]]


def test_stop_keeps_the_model_and_offers_the_next_step(workspace, dataset, training):
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    at = press(open_panel(run.id), "Stop and keep the best")
    run_until(at, lambda at: at.success)
    assert "83.3 % of the validation images right" in at.success[0].value
    assert find_run(workspace, run.id).status == "stopped"
    assert "Try it on a photo" in [button.label for button in at.button]
    assert not at.progress
    assert metrics(at)["Kept epoch"] == "3 of 3"


def test_cancel_asks_and_deletes_the_run(workspace, dataset, training):
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    at = open_panel(run.id)
    assert "Discard this run?" in texts(at)
    press(at, "Discard for good")
    wait_until_idle(training.jobs, SECONDS)
    checked(at.run())
    assert list_runs(workspace) == []
    assert not at.metric


def test_a_cancelled_run_is_watched_until_it_is_gone(workspace, dataset, monkeypatch):
    ended, go_on = threading.Event(), threading.Event()

    def end_and_tidy_up(config, dataset_path, run_path, should_stop):
        update_run(run_path, status="stopped")
        ended.set()
        go_on.wait(SECONDS)

    jobs = JobManager(workspace, ThreadRunner(train=end_and_tidy_up))
    monkeypatch.setattr("tl_core.jobs.queue._queue_of_this_process", lambda: jobs)
    run = create_run(workspace, TrainingConfig(), dataset, "Cancelled")
    jobs.submit(run.id)
    assert ended.wait(SECONDS)
    jobs.cancel(run.id)
    assert not find_run(workspace, run.id).active
    assert may_change(workspace, find_run(workspace, run.id))
    at = open_panel(run.id)
    go_on.set()
    wait_until_idle(jobs, SECONDS)
    checked(at.run())
    assert list_runs(workspace) == []
    assert not at.metric


def test_a_waiting_run_says_how_many_are_before_it(workspace, dataset, training):
    start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    second = start(workspace, dataset, training, "Second")
    at = open_panel(second.id)
    assert "Waiting in the queue: 1 training before this one." in texts(at)


def test_an_interrupted_run_can_be_resumed(workspace, dataset, training):
    run = create_run(workspace, TrainingConfig(), dataset, "Cut off")
    update_run(run.path, status="interrupted", owner=None)
    at = open_panel(run.id)
    assert "cut off" in at.warning[0].value
    press(at, "Start it again")
    assert training.reached.wait(SECONDS)
    assert find_run(workspace, run.id).status == "running"


def test_a_training_without_a_heartbeat_is_stalled_and_then_goes_on(workspace, dataset, training):
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    heartbeat = run.folder.heartbeat_file
    last = time.time() - 45
    heartbeat.write_text(json.dumps({"t": last, "allowed": 30}))
    at = open_panel(run.id)
    (warning,) = at.warning
    told = re.match(r"\*\*Stalled: no sign of life for (\d+) s\.\*\*", warning.value)
    assert told, warning.value
    assert 45 <= int(told[1]) <= math.ceil(time.time() - last)
    assert "press Stop or Discard" in warning.value
    assert at.progress, "where it stands stays in sight"
    press(at, "Stop and keep the best")
    wait_until_idle(training.jobs, SECONDS)

    again = start(workspace, dataset, training, "Fine")
    heartbeat = again.folder.heartbeat_file
    heartbeat.write_text(json.dumps({"t": time.time() - 45, "allowed": 180}))
    assert not open_panel(again.id).warning


def test_a_run_that_was_killed_has_not_worked_since(workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset, "Killed")
    with EventLog(run.folder.events_file) as writer:
        for second, event in enumerate(two_phase_run()[:14]):
            writer.write(**{**event, "t": 1000.0 + second})
    update_run(run.path, status="interrupted")
    assert "Trained for 13 s." in texts(open_panel(run.id))


@pytest.mark.parametrize(
    ("interruption", "begun", "shown"),
    [
        (HUNG, True, HUNG),
        (None, True, "the program ended while it was at work"),
        (None, False, "before its first epoch. There is nothing to keep; start it again"),
    ],
)
def test_a_run_that_was_cut_off_says_why_and_can_go_on(workspace, dataset, interruption, begun, shown):
    run = create_run(workspace, TrainingConfig(), dataset, "Cut off")
    if begun:
        with EventLog(run.folder.events_file) as writer:
            for event in two_phase_run()[:14]:
                writer.write(**event)
    update_run(run.path, status="interrupted", interruption=interruption)
    at = open_panel(run.id)
    assert shown in at.warning[0].value
    label = "Resume from the last epoch" if begun else "Start it again"
    (resume,) = [button for button in at.button if button.label == label]
    assert not resume.disabled
    assert bool(at.metric) == begun, "dashes and an empty chart would say nothing"


def test_the_end_of_a_run_is_told_on_whatever_page_is_open(workspace, dataset, training, monkeypatch):
    titles = []
    configure = st.set_page_config
    monkeypatch.setattr(
        st, "set_page_config", lambda **given: titles.append(given["page_title"]) or configure(**given)
    )
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    at = open_page("pages/1_Data.py")
    assert not at.toast
    assert [link.value for link in at.page_link if "A run" in link.value or "Pets" in link.value]
    training.go_on.set()
    wait_until_idle(training.jobs, SECONDS)
    checked(at.run())
    assert [toast.value for toast in at.toast] == ["**A run** is ready."]
    assert titles[-1] == "● A run is ready · Data · Transfer learning"
    checked(at.run())
    assert not at.toast, "it is told once"
    assert "**A run** is ready" in [link.value for link in at.page_link]
    assert run.id


def test_a_run_whose_images_were_deleted_is_not_offered_to_go_on(workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset, "Cut off")
    update_run(run.path, status="interrupted")
    delete_dataset(workspace, dataset.id)
    at = open_panel(run.id)
    assert "Its images have been deleted since, so it cannot go on" in at.warning[0].value
    assert not [button for button in at.button if button.label in ("Resume from the last epoch", "Start it again")]


def test_a_waiting_run_can_be_withdrawn_and_has_nothing_to_keep(workspace, dataset, training):
    start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    second = start(workspace, dataset, training, "Second")
    at = open_panel(second.id)
    labels = [button.label for button in at.button]
    assert "Stop and keep the best" not in labels
    press(at, "Withdraw")
    run_until(at, lambda at: find_run(workspace, second.id).status == "stopped")
    assert not find_run(workspace, second.id).has_model


def test_before_the_first_epoch_there_is_nothing_to_keep(workspace, dataset, training):
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    run.folder.events_file.write_text("")
    stop = next(button for button in open_panel(run.id).button if button.label == "Stop and keep the best")
    assert stop.disabled


def test_a_run_that_goes_on_does_not_show_the_end_of_its_last_training(workspace, dataset, training):
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    with EventLog(run.folder.events_file) as writer:
        writer.write("end", status="stopped", text="Stopped: 83.3 % of the validation images right.")
    at = open_panel(run.id)
    assert "Starting up" in texts(at)
    assert "Stopped:" not in texts(at)
    assert at.progress[0].value == 0


def test_what_failed_for_want_of_weights_offers_what_needs_none(workspace, dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "no weights"))
    run = create_run(workspace, PRESETS["vgg16_features"].config, dataset, "Offline")
    update_run(run.path, status="failed", error="The weights of VGG16 could not be downloaded.")
    at = open_panel(run.id)
    assert not at.metric
    press(at, "Train with EfficientNet-Lite0 instead")
    form = at.session_state["train_draft"]
    assert form.values["backbone"] == "efficientnet_lite0"
    assert form.dataset_id == dataset.id


def test_the_end_card_says_test_accuracy_guessing_and_the_weakest_class(workspace):
    images = colour_dataset(workspace)
    run = ended_run(workspace, images, "Colours")
    evaluate_run(run.path, images.path, "test")
    at = open_panel(run.id)
    card = at.success[0].value.replace("\\", "")
    assert "100.0 % of the 8 test images are right (validation 90.0 %)." in card
    assert "Always answering “blue” would be right for 50.0 %." in card
    assert "Weakest" not in card  # all of every class is found
    assert "Only 8 images: the true figure may be anywhere from 68 % to 100 %." in card
    assert "Cross-validate" in [button.label for button in at.button], "where the doubt is, what removes it is, too"
    assert "this tells more than a few test images do" in texts(at)


def test_a_failed_run_says_why(workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset, "Failed")
    update_run(run.path, status="failed", error="The loss became infinite: try a smaller learning rate.")
    at = open_panel(run.id)
    assert at.error[0].value == "The loss became infinite: try a smaller learning rate."
    assert "Train again" in [button.label for button in at.button]


def test_an_unknown_run_is_a_sentence(workspace):
    at = open_panel("no-such-run")
    assert "no run" in at.info[0].value
    assert {"Train a model", "See all runs"} <= {button.label for button in at.button}


def test_a_run_that_has_ended_can_be_given_more_epochs(workspace, dataset, monkeypatch):
    asked = []

    def extend(config, dataset_path, run_path, should_stop):
        asked.append(config.epochs)
        update_run(run_path, status="done")

    jobs = JobManager(workspace, ThreadRunner(extend=extend))
    monkeypatch.setattr("tl_core.jobs.queue._queue_of_this_process", lambda: jobs)
    run = ended_run(workspace, dataset, "Nearly there")
    assert "Train 5 more epochs" not in [button.label for button in open_panel(run.id).button]
    (run.path / CHECKPOINT_FILE).write_bytes(b"its last epoch")
    press(open_panel(run.id), "Train 5 more epochs")
    wait_until_idle(jobs, SECONDS)
    assert asked == [7 + 5], "seven of its epochs were trained"


def test_in_a_full_workspace_more_epochs_are_refused_in_a_sentence(workspace, dataset, monkeypatch):
    run = ended_run(workspace, dataset, "Nearly there")
    (run.path / CHECKPOINT_FILE).write_bytes(b"its last epoch")
    at = open_panel(run.id)
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.00001")
    at = press(at, "Train 5 more epochs")
    (error,) = at.error
    assert "allow more with TL_WORKSPACE_GB" in error.value
    assert find_run(workspace, run.id).status == "done"


def test_a_stopped_run_goes_on_to_its_planned_end_or_for_a_few_epochs(workspace, dataset, training):
    run = start(workspace, dataset, training)
    assert training.reached.wait(SECONDS)
    at = press(open_panel(run.id), "Stop and keep the best")
    run_until(at, lambda at: at.success)
    (run.path / CHECKPOINT_FILE).write_bytes(b"its last epoch")
    at = open_panel(run.id)
    labels = [button.label for button in at.button]
    [go_on] = [label for label in labels if re.fullmatch(r"Continue: \d\d of 60 epochs are left", label)]
    assert "Train 5 more epochs" in labels
    training.reached.clear()
    press(at, go_on)
    assert training.reached.wait(SECONDS)
    assert find_run(workspace, run.id).config == run.config


def test_a_run_that_failed_with_its_last_epoch_kept_can_be_resumed(workspace, dataset, training):
    run = create_run(workspace, TrainingConfig(), dataset, "Out of memory")
    update_run(run.path, status="failed", error="The memory is not enough.")
    assert "Resume from the last epoch" not in [button.label for button in open_panel(run.id).button]
    (run.path / CHECKPOINT_FILE).write_bytes(b"its last epoch")
    press(open_panel(run.id), "Resume from the last epoch")
    assert training.reached.wait(SECONDS)
