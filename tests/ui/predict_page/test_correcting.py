"""A wrong answer leads back to the images, and from there to another training."""

from __future__ import annotations

import pytest

from tests.ui.pages_without_browser import checked, open_page, press, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.data import delete_dataset, load_dataset
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
    press(at, "Undo")
    assert load_dataset(dataset.path).images == dataset.images
    assert "Train again with it" not in labels(at)


def test_one_click_trains_again_with_the_same_settings_and_one_compares(workspace, dataset, run, queued):
    at = press(say_it_is(with_photo(run), "blue"), "Train again with it")
    again = list_runs(workspace)[0]
    assert queued == [again.id]
    assert (again.config, again.dataset_revision) == (run.config, 2)
    assert "Train again with it" not in labels(at)
    done = ended_run(workspace, load_dataset(dataset.path), "Better")
    checked(at.run())
    assert "**Better** was trained with it: 90.0 % of the validation images right." in texts(at)
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
