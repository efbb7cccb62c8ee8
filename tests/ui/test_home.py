"""The home page, driven without a browser."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tl_core.figures.run_events import two_phase_run
from tests.ui.pages_without_browser import ROOT, checked, open_page, press, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.config import TrainingConfig
from tl_core.machine.hardware import detect_hardware
from tl_core.runs import Best, EventLog, create_run, update_run
from tl_core.runs.store import now
from tl_core.storage.files import write_json


def make_run(workspace, dataset, name, status, events=()):
    run = create_run(workspace, TrainingConfig(), dataset, name)
    with EventLog(run.folder.events_file) as writer:
        for event in events:
            writer.write(**event)
    return update_run(run.path, status=status)


def finished(workspace, dataset, name="First try"):
    run = make_run(workspace, dataset, name, "running", two_phase_run())
    run.folder.model_file.write_bytes(b"a model")
    best = Best(epoch=7, phase="fine_tune", val_loss=0.3, val_accuracy=0.9286)
    return update_run(run.path, status="done", finished=now(), best=best)


def primary(at):
    return [button.label for button in at.button if button.proto.type == "primary"]


def test_without_images_the_first_step_stands_out(workspace):
    at = open_page()
    assert primary(at) == ["Bring my images"]
    assert [header.value for header in at.header] == ["1. Add images", "2. Train", "3. Predict"]


def test_with_images_the_next_step_is_to_train(dataset):
    assert primary(open_page()) == ["Train a model"]


def test_with_a_model_one_goes_on_with_it(workspace, dataset):
    run = finished(workspace, dataset)
    at = open_page()
    assert primary(at) == ["Predict"]
    assert "#### First try" in texts(at)
    assert "92.9 % of the validation images right · 2 classes" in texts(at)
    write_json(run.folder.metrics_file, {"test": {"accuracy": 0.875}})
    assert "87.5 % of the test images right" in texts(open_page())
    again = press(at, "Train again")
    assert again.title[0].value == "Train"
    assert again.selectbox(key="frame-dataset").value == dataset.id


def test_a_photo_dropped_on_home_is_answered_there(workspace):
    ended_run(workspace, colour_dataset(workspace), "Red or blue")
    at = open_page()
    at.file_uploader[0].upload("photo.png", coloured(COLOURS["red"], 7))
    assert "Almost certainly **red**" in texts(checked(at.run()))


def test_the_last_five_runs_are_listed_newest_first(workspace, dataset):
    for number in range(7):
        make_run(workspace, dataset, f"Run {number}", "stopped")
    names = [link.label for link in open_page().main.page_link]
    assert [name[-5:] for name in names if "Run " in name] == [f"Run {number}" for number in (6, 5, 4, 3, 2)]


def test_a_running_training_is_shown_with_its_progress(workspace, dataset):
    make_run(workspace, dataset, "At work", "running", two_phase_run(head=4, fine_tune=3)[:36])
    at = open_page()
    assert "**At work**" in texts(at)
    assert at.progress[0].text == "head · epoch 4 of 4"
    assert 0 < at.progress[0].value < 100  # of the whole training, as on its own page
    assert "Watch it" in [link.value for link in at.page_link]


def test_names_are_shown_as_they_are(workspace, dataset):
    make_run(workspace, dataset, "**<script>alert(1)</script>**", "running", two_phase_run()[:3])
    assert "**\\*\\*\\<script\\>alert\\(1\\)\\</script\\>\\*\\***" in texts(open_page())


def test_it_says_what_it_runs_on_and_that_images_stay(workspace):
    text = texts(open_page())
    assert detect_hardware().summary in text
    assert "Your images stay on this machine" in text


@pytest.mark.parametrize(
    ("way", "key", "tab"), [("Bring my images", "zip", "Zip file"), ("Try a sample set", "sample", "Sample set")]
)
def test_the_first_step_leads_to_the_open_tab_of_its_way(workspace, way, key, tab):
    at = press(open_page(), way)
    assert at.title[0].value == "Data"
    assert at.query_params["way"] == key
    assert at.session_state["new-dataset-ways"] == tab


def test_home_to_a_sample_set_takes_two_clicks_and_the_address_then_names_no_way(workspace):
    at = press(press(open_page(), "Try a sample set"), "Use surfaces")
    assert "way" not in at.query_params


def test_a_link_opens_the_panel_of_new_datasets_at_its_way(dataset):
    at = open_page("pages/1_Data.py", way="folder")
    assert at.session_state["new-dataset"]
    assert at.session_state["new-dataset-ways"] == "Folder"


def test_a_workspace_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path / "file" / "workspace"))
    at = open_page()
    assert "cannot be written" in at.error[0].value
    assert len(at.sidebar.page_link) == 6


def test_tensorflow_is_not_imported():
    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        "at = AppTest.from_file('app.py', default_timeout=60).run();"
        "assert at.title[0].value == 'Transfer learning', at;"
        "print([name for name in ('tensorflow', 'keras', 'openvino', 'sklearn') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip().splitlines()[-1] == "[]"


def test_a_run_that_was_cut_off_can_be_resumed_from_here(workspace, dataset):
    make_run(workspace, dataset, "Cut short", "interrupted")
    at = open_page()
    assert "**Cut short** was cut off while it trained" in texts(at)
    assert "Resume it" in [link.value for link in at.page_link]
