"""A wrong answer leads back to the images, and from there to another training."""

from __future__ import annotations

import pytest

from tests.ui.pages_without_browser import checked, open_page, press, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.data import delete_dataset, load_dataset
from tl_core.data.editing import add_images, remove_images
from tl_core.data.revisions import undo
from tl_core.runs import list_runs

PAGE = "pages/5_Predict.py"
RED = coloured(COLOURS["red"], 777)  # not in the dataset


@pytest.fixture
def dataset(workspace):
    return colour_dataset(workspace)


@pytest.fixture
def run(workspace, dataset):
    return ended_run(workspace, dataset, "Red or blue")


@pytest.fixture
def queued(monkeypatch):
    """Ids of the runs that are put into the queue, which nothing works on."""

    class Queue(list):
        submit = list.append

        def jobs(self):
            return []

    queue = Queue()
    monkeypatch.setattr("ui.state.begin_training.manager", lambda workspace: queue)
    return queue


def labels(at):
    return [button.label for button in at.button]


def with_photo(run):
    at = open_page(PAGE, run=run.id)
    at.file_uploader[0].upload("photo.png", RED)
    return checked(at.run())


def say_it_is(at, name):
    (field,) = [box for box in at.selectbox if box.label == "It is"]
    checked(field.set_value(name).run())
    return press(at, "Add to the training images")


def test_a_photo_goes_into_the_class_that_is_named_and_comes_out_again(dataset, run):
    at = say_it_is(with_photo(run), "blue")
    changed = load_dataset(dataset.path)
    (added,) = [image for image in changed.images if image not in dataset.images]
    assert (added.source_name, changed.classes[added.label], added.split) == ("blue/photo.png", "blue", "train")
    assert "since this model was trained: Added 1 image to blue" in texts(at)
    press(at, "Undo: added 1 image to blue")
    assert load_dataset(dataset.path).images == dataset.images
    assert "Train again with it" not in labels(at)


def test_where_a_photo_made_a_class_it_is_said_that_nothing_can_be_said_of_it(workspace, dataset, run):
    add_images(workspace, dataset.id, {"green": [("photo.png", RED)]}, split="train")
    words = texts(with_photo(run)).replace("\\", "")
    assert "No test images of: green. Nothing can be said about them there." in words
    assert "No validation images of: green. Nothing can be said about them there." in words


def undo_buttons(at):
    return [label for label in labels(at) if label.startswith("Undo")]


def links(at):
    return [link.proto.label for link in at.get("page_link")]


def test_only_what_was_done_here_last_is_undone_here(workspace, dataset, run):
    at = say_it_is(with_photo(run), "blue")
    assert undo_buttons(at) == ["Undo: added 1 image to blue"]
    remove_images(workspace, dataset.id, load_dataset(dataset.path).images[:1])  # elsewhere
    checked(at.run())
    assert undo_buttons(at) == []
    assert "See all changes" in links(at)
    undo(workspace, dataset.id)
    checked(at.run())
    assert undo_buttons(at) == ["Undo: added 1 image to blue"]


def test_a_change_that_came_between_drawing_and_pressing_is_not_undone(workspace, dataset, run):
    at = say_it_is(with_photo(run), "blue")
    remove_images(workspace, dataset.id, load_dataset(dataset.path).images[:1])
    press(at, "Undo: added 1 image to blue")
    assert load_dataset(dataset.path).revision == 3
    assert "has changed since, last by “Removed 1 image”" in texts(at)


def test_what_was_done_elsewhere_leads_to_the_history_of_the_dataset(workspace, dataset, run):
    remove_images(workspace, dataset.id, dataset.images[:1])
    at = with_photo(run)
    assert undo_buttons(at) == []
    assert "See all changes" in links(at)
    at = open_page("pages/1_Data.py", dataset=dataset.id, history="1")
    assert "Last change: Removed 1 image" in texts(at)
    assert at.session_state[f"history-{dataset.id}"]
    assert "history" not in at.query_params


def test_the_last_pair_can_still_be_compared_after_a_second_correction(workspace, dataset, run):
    at = say_it_is(with_photo(run), "blue")
    better = ended_run(workspace, load_dataset(dataset.path), "Better")
    remove_images(workspace, dataset.id, load_dataset(dataset.path).images[:1])
    checked(at.run())
    assert "Train again with it" in labels(at)
    press(at, "Compare the two")
    assert at.query_params["compare"] == f"{run.id},{better.id}"


def test_the_newer_of_a_pair_leads_to_the_comparison_as_well(workspace, dataset, run):
    at = say_it_is(with_photo(run), "blue")
    better = ended_run(workspace, load_dataset(dataset.path), "Better")
    at = press(checked(at.run()), "Use the new model")
    assert "**Better**, trained on the changed images" in texts(at)
    assert "Use the new model" not in labels(at)
    press(at, "Compare the two")
    assert at.query_params["compare"] == f"{run.id},{better.id}"


def test_one_click_trains_again_with_the_same_settings_and_one_compares(workspace, dataset, run, queued):
    at = press(say_it_is(with_photo(run), "blue"), "Train again with it")
    again = list_runs(workspace)[0]
    assert queued == [again.id]
    assert (again.config, again.dataset_revision) == (run.config, 2)
    assert "Train again with it" not in labels(at)
    done = ended_run(workspace, load_dataset(dataset.path), "Better")
    checked(at.run())
    assert "**Better**, trained on the changed images: 90.0 % of the validation images right." in texts(at)
    press(at, "Compare the two")
    assert at.query_params["compare"] == f"{run.id},{done.id}"
    assert "What differs" in texts(at)


def test_the_new_model_is_used_from_then_on(workspace, dataset, run):
    at = say_it_is(with_photo(run), "blue")
    done = ended_run(workspace, load_dataset(dataset.path), "Better")
    at = press(checked(at.run()), "Use the new model")
    assert at.query_params["run"] == done.id
    assert "since this model was trained" not in texts(at)


def test_a_photo_that_is_there_already_is_refused_in_its_place(run):
    at = say_it_is(say_it_is(with_photo(run), "red"), "red")
    assert "The same image is in the class red already." in at.error[0].value


def test_where_the_images_are_gone_it_says_so(dataset, run):
    delete_dataset(dataset.workspace, dataset.id)
    at = with_photo(run)
    assert "The images of this model were deleted" in texts(at)
    assert "It is" not in [box.label for box in at.selectbox]
