"""A wrong label is mended where it is seen, and the model is trained again on the new revision."""

from __future__ import annotations

import pytest

from tests.ui.pages_without_browser import checked, open_page, press, texts
from tests.ui.trained_runs import COLOURS, coloured, ended_run
from tl_core.data import SplitConfig, import_uploads, load_dataset
from tl_core.data.editing import remove_images
from tl_core.runs import list_runs

PAGE = "pages/4_Evaluate.py"


@pytest.fixture
def dataset(workspace):
    """Some red images have the label blue."""
    images = {
        name: [(f"{name} {number}.png", coloured(COLOURS[name], 100 * place + number)) for number in range(16)]
        for place, name in enumerate(COLOURS)
    }
    images["blue"] += [(f"wrong {number}.png", coloured(COLOURS["red"], 900 + number)) for number in range(8)]
    return import_uploads(workspace, images, "Colours", SplitConfig(validation=0.25, test=0.4))


@pytest.fixture
def run(workspace, dataset):
    return ended_run(workspace, dataset, "Red or blue")


def wrong_ones(dataset):
    return [image for image in dataset.of_split("test") if "wrong" in image.source_name]


def press_first(at, label):
    return checked(next(button for button in at.button if button.label == label).click().run())


def test_a_mistake_gets_the_label_that_the_model_gave_it_and_its_own_back_again(dataset, run):
    assert len(wrong_ones(dataset)) > 1
    at = press_first(open_page(PAGE, run=run.id), "Change the label")
    changed = load_dataset(dataset.path)
    assert changed.revision == 2
    (moved,) = set(changed.images) - set(dataset.images)
    assert (changed.classes[moved.label], moved.split) == ("red", "test")
    assert "wrong" in moved.source_name
    assert "now **red**" in texts(at)
    assert "since this model was trained: Moved 1 image to red" in texts(at)
    at = press(at, "Undo: moved 1 image to red")
    assert load_dataset(dataset.path).images == dataset.images
    assert "now **red**" not in texts(at)


def test_a_mistake_is_removed(dataset, run):
    at = press_first(open_page(PAGE, run=run.id), "Remove the image")
    assert len(load_dataset(dataset.path).images) == len(dataset.images) - 1
    assert "removed since" in texts(at)


def test_a_whole_cell_is_relabelled_at_once_and_trained_again(workspace, dataset, run, monkeypatch):
    queued = []
    monkeypatch.setattr(
        "ui.state.begin_training.manager", lambda workspace: type("Queue", (), {"submit": queued.append})
    )
    at = open_page(PAGE, run=run.id)
    (control,) = [radio for radio in at.radio if radio.label == "Show"]
    at = press_first(checked(control.set_value("cell").run()), "Change the label")
    changed = load_dataset(dataset.path)
    assert {changed.classes[image.label] for image in wrong_ones(changed)} == {"red"}
    assert changed.revisions[-1].what == f"Moved {len(wrong_ones(dataset))} images to red"
    press(at, "Train again with it")
    assert queued == [list_runs(workspace)[0].id]
    assert list_runs(workspace)[0].dataset_revision == 2


def test_an_image_that_somebody_else_has_removed_meanwhile_is_refused_in_its_place(workspace, dataset, run):
    at = open_page(PAGE, run=run.id)
    remove_images(workspace, dataset.id, wrong_ones(dataset))
    at = press_first(at, "Change the label")
    assert "changed or removed meanwhile" in at.error[0].value
    assert "removed since" in texts(at)
