"""Pictures pinned before Start and watched under the curves, driven without a browser."""

from __future__ import annotations

import json

import pytest

from tests.tl_core.jobs.thread_runner import ThreadRunner
from tests.tl_core.jobs.waiting import wait_until_idle
from tests.ui.pages_without_browser import checked, open_page, picture, press, texts
from tl_core.config import TrainingConfig
from tl_core.errors import WorkspaceError
from tl_core.jobs import JobManager
from tl_core.runs import EventLog, create_run, list_runs, update_run
from tl_core.runs.watched_images import save_watched_images, watch_dataset_image, watched_images
from ui.train_page.watched_images_picker import spread_over_classes

PAGE = "pages/2_Train.py"


@pytest.fixture
def jobs(workspace, monkeypatch):
    """A queue whose trainings end at once, as if stopped."""
    runner = ThreadRunner(train=lambda _config, _data, path, _stop: update_run(path, status="stopped"))
    queue = JobManager(workspace, runner)
    monkeypatch.setattr("tl_core.jobs.queue._queue_of_this_process", lambda: queue)
    yield queue
    wait_until_idle(queue, 20)


def charts(at):
    return [
        json.loads(part.proto.json)
        for part in at.get("bidi_component")
        if "watched_images" in part.proto.component_name
    ]


def uploader(at):
    return next(part for part in at.file_uploader if part.key.startswith("train_watched_files"))


def test_uploads_and_validation_images_are_watched_in_the_run(workspace, dataset, jobs):
    at = open_page(PAGE)
    uploader(at).upload("mine.png", picture(5)).upload("broken.png", b"text")
    checked(at.run())
    assert "broken" in at.warning[0].value
    press(at, "Add validation images")
    assert "5 pictures will be watched." in texts(at)
    checked(at.button(key="train_start").click().run())
    (run,) = list_runs(workspace)
    kept = watched_images(run.folder)
    assert [picture.name for picture in kept][:1] == ["mine.png"]
    assert sorted(picture.truth for picture in kept[1:]) == ["cat", "cat", "dog", "dog"]


def test_uploads_survive_leaving_the_form_and_no_picture_stays_in_the_session(workspace, dataset, jobs):
    at = open_page(PAGE)
    uploader(at).upload("mine.png", picture(5)).upload("too.png", picture(6))
    checked(at.run())
    assert "2 pictures will be watched." in texts(at)
    checked(at.switch_page("pages/1_Data.py").run())
    checked(at.switch_page(PAGE).run())
    assert "2 pictures will be watched." in texts(at)
    assert not uploader(at).value, "the session holds no file, only the name of the folder"
    assert len(repr(at.session_state)) < 5000
    uploader(at).upload("third.png", picture(7))
    assert "3 pictures will be watched." in texts(checked(at.run()))
    press(at, "Remove mine")
    assert "will be watched" not in texts(at)
    assert not list(workspace.drafts.glob("*"))


def test_no_more_than_eight_are_taken_and_the_rest_is_said(workspace, dataset, jobs):
    at = open_page(PAGE)
    field = uploader(at)
    for number in range(10):
        field.upload(f"{number}.png", picture(number))
    checked(at.run())
    assert "8 pictures will be watched." in texts(at)
    assert at.warning[0].value == "At most 8 pictures are watched; 2 are left out."


def test_validation_images_can_be_added_until_there_are_no_more_and_be_removed(dataset, jobs):
    at = open_page(PAGE)
    press(at, "Add validation images")
    press(at, "Add validation images")
    assert "6 pictures will be watched." in texts(at)
    assert at.button(key="train_watched_add").disabled, "there are no more validation images"
    press(at, "Remove them")
    assert "will be watched" not in texts(at)


def test_test_images_are_not_offered_as_they_are_looked_at_only_at_the_end(workspace, dataset, jobs):
    manifest = dataset.path / "manifest.json"  # of a dataset from before every one had validation images
    manifest.write_text(manifest.read_text().replace('"validation"', '"test"'))
    assert not [button for button in open_page(PAGE).button if button.key == "train_watched_add"]


def test_without_pictures_the_run_has_none(workspace, dataset, jobs):
    at = open_page(PAGE)
    checked(at.button(key="train_start").click().run())
    (run,) = list_runs(workspace)
    assert not run.folder.watched_images_folder.exists()
    assert not charts(at)


def test_under_the_curves_each_picture_has_its_chart(workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset, "Watched")
    save_watched_images(run.folder, [watch_dataset_image(dataset, record) for record in dataset.of_split("test")[:2]])
    update_run(run.path, status="stopped")
    with EventLog(run.folder.events_file) as events:
        events.write("pinned", epoch=1, probabilities=[[0.9, 0.1], [0.2, 0.8]])
    (shown,) = charts(open_page(PAGE, run=run.id))
    assert shown["epochs"] == [1]
    assert [entry["answers"][0]["name"] for entry in shown["pictures"]] == ["cat", "dog"]
    assert all(entry["picture"].startswith("data:image/") for entry in shown["pictures"])


def test_images_are_taken_of_each_class_in_turn(dataset):
    rows = spread_over_classes(dataset, "train", [], 6)
    labels = [dataset.images[row].label for row in rows]
    assert sorted(labels) == [0, 0, 0, 1, 1, 1]
    assert len(set(rows)) == 6
    assert not set(spread_over_classes(dataset, "train", rows, 6)) & set(rows)
    assert len(spread_over_classes(dataset, "test", [], 100)) == len(dataset.of_split("test"))


def test_pictures_that_cannot_be_kept_leave_no_run_behind(workspace, dataset, jobs, monkeypatch):
    def full(folder, watched):
        raise WorkspaceError("The workspace cannot be written (No space left): free some disk space.")

    monkeypatch.setattr("ui.state.begin_training.save_watched_images", full)
    at = open_page(PAGE)
    checked(at.button(key="train_start").click().run())
    assert "free some disk space" in at.error[0].value
    assert list_runs(workspace) == []
