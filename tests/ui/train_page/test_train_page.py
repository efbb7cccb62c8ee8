"""The Train page as a person uses it, driven without a browser."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.tl_core.jobs.thread_runner import ThreadRunner
from tests.tl_core.jobs.waiting import wait_until_idle
from tl_core.backbones.outline import load_outline
from tl_core.config import TrainingConfig
from tl_core.config.presets import DEFAULT_PRESET, GOALS, PRESETS
from tl_core.data import delete_dataset, import_uploads
from tl_core.jobs import JobManager
from tl_core.runs import create_run, list_runs, update_run
from tl_core.search.record import list_searches
from tl_core.storage.format import large_count
from tl_core.storage.workspace import Workspace
from ui.train_page.goals import fitting_goal

ROOT = Path(__file__).parents[3]
PAGE = "pages/2_Train.py"
LAYERS = len(load_outline(PRESETS[DEFAULT_PRESET].config.backbone).layers)


def png(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def make_dataset(workspace, name="Pets", classes=("cat", "dog")):
    images = {
        label: [(f"{number}.png", png(1000 * place + number)) for number in range(20)]
        for place, label in enumerate(classes)
    }
    return import_uploads(workspace, images, name)


class HeldTraining:
    """Stands in for the training itself, which the queue calls: it begins, and ends when the test says so."""

    def __init__(self):
        self.go_on = threading.Event()

    def __call__(self, config, dataset_path, run_path, should_stop):
        update_run(run_path, status="running")
        self.go_on.wait(30)
        update_run(run_path, status="stopped")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path))
    return Workspace(tmp_path).ensure()


@pytest.fixture
def dataset(workspace):
    return make_dataset(workspace)


@pytest.fixture
def training(workspace, monkeypatch):
    held = HeldTraining()
    jobs = JobManager(workspace, ThreadRunner(train=held))
    monkeypatch.setattr("tl_core.jobs.queue._queue_of_this_process", lambda: jobs)
    yield held
    held.go_on.set()
    wait_until_idle(jobs, 30)


def open_page(*, unfolded=False, **parameters):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    at.switch_page(PAGE)
    for name, value in parameters.items():
        at.query_params[name] = value
    if unfolded:
        at.session_state["train_more_options"] = True
        at.session_state["train_backbones"] = True
    return checked(at.run())


def checked(at):
    """No page may end in an error that it did not mean."""
    assert not at.exception
    assert "did not expect" not in " ".join(error.value for error in at.error)
    return at


def press(at, label):
    (button,) = [button for button in at.button if button.label == label]
    return checked(button.click().run())


def start_button(at):
    return at.button(key="train_start")


def texts(at):
    return "\n".join(element.value for element in [*at.markdown, *at.caption, *at.error, *at.warning, *at.success])


def setting(at, key):
    return at.session_state[f"train_{key}"]


def load_text(at, text):
    at.text_area(key="train_text").set_value(text)
    return press(at, "Use this text")


def test_without_a_dataset_the_page_says_where_to_get_one(workspace):
    at = open_page()
    assert "There are no images yet." in texts(at)
    assert {"Bring my images", "Try a sample set"} <= {button.label for button in at.button}
    assert not [button for button in at.button if button.label == "Start training"]


def test_the_form_opens_with_quick_start_ready_to_go(dataset):
    at = open_page()
    assert at.button(key=f"train_goal_{DEFAULT_PRESET}").icon == ":material/check:"
    assert at.selectbox(key="train_preset").value is None
    assert at.selectbox(key="frame-dataset").value == dataset.id
    assert not start_button(at).disabled
    assert "28 images to train on, 6 to validate, 6 to test" in texts(at)


def test_few_controls_are_shown_until_more_options_are_opened(dataset):
    few, many = open_page(), open_page(unfolded=True)
    kinds = ("selectbox", "slider", "select_slider", "number_input", "toggle", "text_input", "text_area")
    assert sum(len(few.get(kind)) for kind in kinds) <= 8
    assert sum(len(many.get(kind)) for kind in kinds) > 20
    assert len(many.dataframe) == 1
    assert not few.dataframe


def test_the_line_above_start_describes_the_training(dataset):
    at = open_page()
    assert f"{len(dataset.of_split('train'))} images" in texts(at)
    assert "nothing to download" in texts(at)


def choose_preset(at, name):
    if name in GOALS:
        checked(at.button(key=f"train_goal_{name}").click().run())
    else:
        checked(at.selectbox(key="train_preset").set_value(name).run())


def test_every_goal_says_its_time_its_size_and_that_it_works_offline(dataset):
    costs = [caption.value for caption in open_page().caption if " model · " in caption.value]
    assert len(costs) == len(GOALS)
    for cost in costs:
        assert re.fullmatch(r"\*\*.*(seconds|minutes?).* · \d+ MB model · works offline\*\*", cost), cost
    megabytes = [int(re.search(r"(\d+) MB", cost)[1]) for cost in costs]
    assert megabytes[GOALS.index("phone")] == min(megabytes)


def test_every_control_explains_itself(dataset):
    at = open_page(unfolded=True)
    kinds = ("selectbox", "slider", "select_slider", "number_input", "toggle", "text_input", "text_area", "radio")
    controls = [control for kind in kinds for control in at.get(kind)]
    assert len(controls) > 25
    assert [control.label for control in controls if not control.help] == []


def test_a_link_can_name_the_dataset(workspace):
    older = make_dataset(workspace, "Older")
    make_dataset(workspace, "Newer")
    at = open_page(dataset=older.id)
    assert at.selectbox(key="frame-dataset").value == older.id
    assert at.query_params["dataset"] == older.id


def test_a_link_to_a_dataset_that_is_gone_opens_the_newest(dataset):
    assert open_page(dataset="gone").selectbox(key="frame-dataset").value == dataset.id


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fills_the_whole_form(dataset, name):
    at = open_page(unfolded=True)
    choose_preset(at, name)
    saved = json.loads(next(code.value for code in at.code))
    assert TrainingConfig.from_file(saved) == PRESETS[name].config


def test_what_was_changed_since_the_preset_is_named_and_can_be_undone(dataset):
    at = open_page()
    checked(at.number_input(key="train_epochs").set_value(7).run())
    assert "Changed: Epochs, feature extraction 60 → 7." in texts(at)
    press(at, "Undo changes")
    assert setting(at, "epochs") == PRESETS[DEFAULT_PRESET].config.epochs
    assert "These are the settings of *Fast*." in texts(at)


def freeze(at, name):
    checked(at.button(key=f"train_freeze_{name}").click().run())


def test_the_buttons_freeze_all_the_last_blocks_half_or_nothing(dataset):
    at = open_page()
    places = load_outline(PRESETS[DEFAULT_PRESET].config.backbone).presets()
    for name in ("half", "none", "all_but_last_block", "all"):
        freeze(at, name)
        assert at.slider(key="train_frozen_layers").value == places[name]


def test_a_download_is_announced_before_start(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    at = open_page()
    checked(at.selectbox(key="train_preset").set_value("vgg16_small_data").run())
    assert "Start downloads its weights once (59 MB)" in texts(at)
    assert "59 MB to download first" in texts(at)
    assert not start_button(at).disabled


def test_the_slider_changes_the_map_as_text(dataset):
    at = open_page()
    checked(at.slider(key="train_frozen_layers").set_value(0).run())
    assert "No block is frozen" in texts(at)
    assert [button.key for button in at.button if button.icon == ":material/check:"][-1] == "train_freeze_none"
    checked(at.slider(key="train_frozen_layers").set_value(LAYERS).run())
    assert "only the head learns" in texts(at)
    assert "BatchNorm layers stay in inference mode" in "".join(caption.proto.help for caption in at.caption)


def test_fine_tuning_opens_when_layers_are_unfrozen(dataset):
    at = open_page()
    freeze(at, "all")
    assert at.select_slider(key="train_fine_tune_learning_rate").disabled
    freeze(at, "half")
    assert not at.select_slider(key="train_fine_tune_learning_rate").disabled


def test_moving_the_slider_turns_phase_2_on_and_off(dataset):
    at = open_page()
    assert setting(at, "fine_tune_epochs") == 0
    checked(at.slider(key="train_frozen_layers").set_value(112).run())
    assert setting(at, "fine_tune_epochs") == 10
    assert "The last 29 of 141 layers are fine-tuned in phase 2 (10 epochs)" in texts(at)
    assert "then fine-tuning for 10 epochs" in plan_line(at)
    checked(at.slider(key="train_frozen_layers").set_value(LAYERS).run())
    assert setting(at, "fine_tune_epochs") == 0
    assert "fine-tuning" not in plan_line(at)


def plan_line(at):
    return next(caption.value for caption in at.caption if "parameters;" in caption.value).replace("\\", "")


def test_diagram_and_plan_name_the_same_numbers(dataset):
    at = open_page()
    freeze(at, "all_but_last_block")
    (block_map,) = [part for part in at.get("bidi_component") if "block_map" in part.proto.component_name]
    data = json.loads(block_map.proto.json)
    learn, total = data["trainable"][data["frozen"]], data["parameters"]
    assert f"trains {large_count(learn)} of {large_count(total)} parameters" in plan_line(at)


def test_unfrozen_layers_without_epochs_are_remarked_on_and_put_right(dataset):
    at = open_page()
    freeze(at, "half")
    checked(at.number_input(key="train_fine_tune_epochs").set_value(0).run())
    assert "fine-tuning has 0 epochs" in texts(at)
    press(at, "Fine-tune for 10 epochs")
    assert setting(at, "fine_tune_epochs") == 10
    assert "fine-tuning has 0 epochs" not in texts(at)


def test_a_fine_tuning_rate_that_is_too_large_is_remarked_on(dataset):
    at = open_page()
    freeze(at, "half")
    checked(at.number_input(key="train_fine_tune_epochs").set_value(5).run())
    rate = at.select_slider(key="train_learning_rate").value
    checked(at.select_slider(key="train_fine_tune_learning_rate").set_value(rate).run())
    assert "4 to 100 times smaller" in texts(at)


def test_sigmoid_for_three_classes_holds_start_back_until_it_is_put_right(workspace):
    make_dataset(workspace, "Three", ("a", "b", "c"))
    at = open_page(unfolded=True)
    load_text(at, '{"head": {"output": "sigmoid"}}')
    assert start_button(at).disabled
    press(at, "Use softmax")
    assert not start_button(at).disabled


def test_hidden_layers_that_are_no_numbers_hold_start_back(dataset):
    at = open_page(unfolded=True)
    checked(at.text_input(key="train_head_dense_units").set_value("many").run())
    assert start_button(at).disabled
    assert "whole numbers with commas" in texts(at)
    checked(at.text_input(key="train_head_dense_units").set_value("64").run())
    assert not start_button(at).disabled


def test_an_augmentation_level_sets_its_controls_and_a_changed_control_makes_it_custom(dataset):
    at = open_page(unfolded=True)
    checked(at.radio(key="train_augmentation_level").set_value("strong").run())
    assert at.slider(key="train_augmentation_rotation_degrees").value == 36
    checked(at.slider(key="train_augmentation_rotation_degrees").set_value(90).run())
    assert at.radio(key="train_augmentation_level").value == "custom"


@pytest.mark.parametrize("epochs", [99_999_999, -5, 0])
def test_a_number_that_cannot_be_used_stops_the_start_and_leaves_no_plan_of_the_last_one(dataset, epochs):
    at = open_page()
    before = plan_line(at)
    checked(at.number_input(key="train_epochs").set_value(epochs).run())
    assert before not in texts(at)
    assert f"Received: {epochs}" in texts(at).replace("\\", "")
    assert next(button for button in at.button if button.label == "Start training").disabled
    checked(at.number_input(key="train_epochs").set_value(7).run())
    assert not next(button for button in at.button if button.label == "Start training").disabled


def test_an_emptied_number_keeps_its_last_value(dataset):
    at = open_page()
    checked(at.number_input(key="train_epochs").set_value(7).run())
    checked(at.number_input(key="train_epochs").set_value(None).run())
    assert at.number_input(key="train_epochs").value == 7


def test_choices_survive_a_visit_to_another_page(dataset):
    at = open_page()
    checked(at.number_input(key="train_epochs").set_value(7).run())
    checked(at.slider(key="train_frozen_layers").set_value(LAYERS - 3).run())
    at.switch_page("pages/3_Runs.py")
    at.run()
    at.switch_page(PAGE)
    checked(at.run())
    assert at.number_input(key="train_epochs").value == 7
    assert at.slider(key="train_frozen_layers").value == LAYERS - 3


def test_a_saved_configuration_fills_the_form_again(dataset):
    at = open_page(unfolded=True)
    load_text(at, json.dumps(TrainingConfig(backbone="vgg16", frozen_layers=15, learning_rate=3e-4).to_dict()))
    assert "Loaded" in texts(at)
    assert at.slider(key="train_frozen_layers").value == 15
    assert at.slider(key="train_frozen_layers").max == 19
    assert at.select_slider(key="train_learning_rate").value == 3e-4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("no json", "not valid JSON"),
        ('{"epochs": -1}', "Epochs must be a whole number"),
        ('{"backbone": "vgg61"}', "vgg16"),
        ('{"backbone": "vgg16", "frozen_layers": 500}', "VGG16 has 19 layers"),
    ],
)
def test_what_is_no_configuration_changes_nothing_and_is_explained(dataset, text, sentence):
    at = open_page(unfolded=True)
    checked(at.number_input(key="train_epochs").set_value(7).run())
    load_text(at, text)
    (error,) = at.error
    assert sentence in error.value
    assert at.number_input(key="train_epochs").value == 7


def test_start_makes_a_run_and_shows_it(workspace, dataset, training):
    at = open_page()
    checked(at.number_input(key="train_epochs").set_value(3).run())
    checked(start_button(at).click().run())
    (run,) = list_runs(workspace)
    assert at.query_params["run"] == run.id
    assert run.config.epochs == 3
    assert run.dataset_id == dataset.id
    assert "**Pets, EfficientNet-Lite0**" in texts(at).replace("\\", "")
    assert [button.label for button in at.button if button.label == "Train again"]


def test_runs_of_the_same_kind_have_different_names(workspace, dataset, training):
    at = open_page()
    for _ in range(3):
        checked(start_button(at).click().run())
        press(at, "Train again")
    names = ["Pets 2, EfficientNet-Lite0", "Pets 3, EfficientNet-Lite0", "Pets, EfficientNet-Lite0"]
    assert sorted(run.name for run in list_runs(workspace)) == names


def test_new_training_shows_the_form_as_it_was(workspace, dataset, training):
    at = open_page()
    checked(at.number_input(key="train_epochs").set_value(3).run())
    checked(start_button(at).click().run())
    press(at, "Train again")
    assert "run" not in at.query_params
    assert at.number_input(key="train_epochs").value == 3


def test_while_one_trains_the_next_can_be_queued(workspace, dataset, training):
    at = open_page()
    checked(start_button(at).click().run())
    press(at, "Train again")
    assert "In training now" in texts(at)
    assert "It waits until 1 other training is done" in texts(at).replace("\\", "")
    checked(start_button(at).click().run())
    assert "Waiting in the queue: 1 training before this one" in texts(at)
    assert len(list_runs(workspace)) == 2


def test_a_new_tab_on_a_run_begins_the_next_training_with_its_settings(workspace, dataset, training):
    run = create_run(workspace, TrainingConfig(epochs=11), dataset)
    at = open_page(run=run.id)
    press(at, "Train again")
    assert at.number_input(key="train_epochs").value == 11


def test_a_link_can_open_the_form_with_the_settings_of_a_run(workspace, dataset):
    other = make_dataset(workspace, "Other")
    run = create_run(workspace, TrainingConfig(epochs=12), dataset)
    at = open_page(like=run.id)
    assert at.number_input(key="train_epochs").value == 12
    assert at.selectbox(key="frame-dataset").value == dataset.id != other.id
    assert "These are the settings of **" in texts(at)
    checked(at.number_input(key="train_epochs").set_value(9).run())
    assert "feature extraction 12 → 9" in texts(at)
    press(at, "Back to the run")
    assert at.query_params["run"] == run.id


def test_a_link_to_a_run_that_is_gone_is_explained(workspace):
    at = open_page(run="gone")
    assert "no run of this id" in "".join(info.value for info in at.info)


def test_the_page_does_not_import_tensorflow(workspace, dataset):
    script = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        f"at = AppTest.from_file({str(ROOT / 'app.py')!r}, default_timeout=60)\n"
        f"at.switch_page({PAGE!r})\n"
        "assert not at.run().exception\n"
        "assert at.button(key='train_start')\n"
        "assert not {'tensorflow', 'keras', 'openvino'} & set(sys.modules)\n"
    )
    result = subprocess.run(  # its own process: other tests import TensorFlow into this one
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr


def test_images_that_are_gone_are_not_replaced_without_a_message(workspace, dataset):
    at = open_page(dataset=f"gone-{'0' * 32}")
    assert "are gone" in "".join(warning.value for warning in at.warning)
    other = make_dataset(workspace, "Another")
    checked(at.run())
    checked(at.selectbox(key="frame-dataset").set_value(other.id).run())
    assert not checked(at.run()).warning
    assert not checked(open_page(dataset=dataset.id)).warning


def test_a_rate_far_too_high_is_remarked_on(dataset):
    at = open_page()
    checked(at.select_slider(key="train_learning_rate").set_value(1.0).run())
    assert "far too high" in texts(at)
    press(at, "Use 0.002")
    assert "far too high" not in texts(at)


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.parametrize("button", ["train_start", "search_start"])
def test_start_below_images_that_were_deleted_meanwhile_starts_nothing_and_says_so(
    workspace, dataset, others, button
):
    at = open_page(dataset=dataset.id)
    if others:
        make_dataset(workspace, "Others")
    delete_dataset(workspace, dataset.id)
    checked(at.button(key=button).click().run())
    assert f"“{dataset.name}” was deleted meanwhile, so nothing was started" in texts(at)
    assert list_runs(workspace) == []
    assert list_searches(workspace) == []
    assert "run" not in at.query_params


def test_a_form_whose_images_were_deleted_says_so(workspace, dataset):
    at = open_page(dataset=dataset.id)
    delete_dataset(workspace, dataset.id)
    assert "The images chosen before were deleted." in texts(checked(at.run()))


def test_a_link_to_a_run_that_is_not_there_offers_two_ways_on(workspace):
    labels = [button.label for button in open_page(run="nonsense").button]
    assert {"Train a model", "See all runs"} <= set(labels)


@pytest.mark.parametrize(("per_class", "goal"), [(10, "few_images"), (50, "few_images"), (51, "quick_start")])
def test_the_goal_that_fits_the_number_of_images_is_marked(dataset, per_class, goal):
    images = (dataset.images * (2 * per_class))[: len(dataset.classes) * per_class]
    assert fitting_goal(replace(dataset, images=images)) == goal


def test_one_card_says_that_it_fits_these_images(dataset):
    each = round(len(dataset.images) / len(dataset.classes))
    assert texts(open_page()).count(f"Fits these images: about {each} per class.") == 1
