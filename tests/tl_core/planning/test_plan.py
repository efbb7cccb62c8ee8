from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.errors import ConfigError
from tl_core.planning import plan_training
from tl_core.runs import EventLog, create_run, update_run
from tl_core.storage.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path).ensure()


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    splits = ["train"] * 100 + ["validation"] * 20 + ["test"] * 20
    images = tuple(
        ImageRecord(f"images/{n}.png", n % 2, split, 64, 64, f"{n}", f"{n}") for n, split in enumerate(splits)
    )
    return Dataset(
        "pets-" + "0" * 32, "Pets", tmp_path, ("cat", "dog"), images, (), "f" * 64, "zip", "2026-01-01", False
    )


def test_the_plan_counts_what_the_recipe_counts(workspace, dataset):
    # 16,320,770 in all and 1,605,954 trainable: the figures of the published small-data recipe.
    head = HeadConfig(pooling="flatten", dense_units=(64,), batch_norm=True, dropout=0.5)
    plan = plan_training(TrainingConfig(backbone="vgg16", image_size=224, head=head), dataset, workspace)
    assert (plan.total_parameters, plan.trainable_parameters) == (16_320_770, 1_605_954)
    assert plan.images == 100
    assert plan.problems == ()


@pytest.mark.parametrize(("size", "side"), [(150, 4), (180, 5), (224, 7)])
def test_a_flattening_head_grows_with_the_image(workspace, dataset, size, side):
    head = HeadConfig(pooling="flatten", dense_units=(256,))
    plan = plan_training(TrainingConfig(backbone="vgg16", image_size=size, head=head), dataset, workspace)
    assert plan.trainable_parameters == side * side * 512 * 256 + 256 + 256 * 2 + 2


def test_unfrozen_layers_and_epochs_make_a_second_phase(workspace, dataset):
    one = plan_training(TrainingConfig(backbone="vgg16"), dataset, workspace)
    assert [phase.title for phase in one.phases] == ["feature extraction"]
    config = TrainingConfig(backbone="vgg16", frozen_layers=15, epochs=20, fine_tune_epochs=5)
    two = plan_training(config, dataset, workspace)
    assert [phase.epochs for phase in two.phases] == [20, 5]
    assert two.trainable_parameters == one.trainable_parameters + 7_079_424
    assert two.seconds > one.seconds
    assert "then fine-tuning for 5 epochs" in two.text
    untouched = plan_training(replace(config, fine_tune_epochs=0), dataset, workspace)
    assert len(untouched.phases) == 1


def test_the_line_names_the_download_and_whether_the_time_is_a_guess(workspace, dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "empty"))
    embedded = plan_training(TrainingConfig(), dataset, workspace)
    assert "nothing to download" in embedded.text
    assert "rough guess" in embedded.text
    fetched = plan_training(TrainingConfig(backbone="vgg16"), dataset, workspace)
    assert fetched.download_mb == pytest.approx(58.9, abs=0.2)
    assert "59 MB to download first" in fetched.text
    assert plan_training(TrainingConfig(backbone="vgg16", weights="random"), dataset, workspace).download_mb == 0


def test_a_run_whose_network_was_deleted_since_is_no_hindrance(workspace, dataset):
    gone = replace(TrainingConfig(), backbone="brought-network-" + 32 * "0")
    update_run(create_run(workspace, gone, dataset).path, status="done")
    assert not plan_training(TrainingConfig(), dataset, workspace).problems


def test_the_time_follows_an_earlier_run_of_the_same_backbone(workspace, dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # loaded already
    config = TrainingConfig()
    run = create_run(workspace, config, dataset)
    with EventLog(run.folder.events_file) as events:
        events.write("progress", phase="features", done=140, total=140, images_per_second=2.0)
    update_run(run.path, status="done")
    plan = plan_training(config, dataset, workspace)
    assert plan.measured
    assert 70 <= plan.seconds <= 80
    assert "1 minute" in plan.text
    assert not plan_training(replace(config, backbone="mobilenet"), dataset, workspace).measured


def test_augmentation_at_every_epoch_costs_more_than_running_the_backbone_once(workspace, dataset):
    still = plan_training(TrainingConfig(), dataset, workspace)
    full = plan_training(TrainingConfig(augmentation=AUGMENTATION_LEVELS["light"]), dataset, workspace)
    assert full.seconds > 5 * (still.seconds - 4)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"frozen_layers": 9999}, "layers, so 9999 of them cannot be frozen"),
        ({"image_size": 32, "backbone": "inception_v3"}, "needs images of at least 75 pixels"),
    ],
)
def test_what_cannot_work_is_said_before_start(workspace, dataset, change, sentence):
    try:
        plan = plan_training(TrainingConfig(**change), dataset, workspace)
    except ConfigError as error:
        pytest.fail(f"A plan names its problems: {error}")
    assert sentence in " ".join(plan.problems)


def test_a_sigmoid_needs_two_classes_and_the_best_epoch_needs_validation_images(workspace, dataset):
    three = replace(dataset, classes=("a", "b", "c"), images=dataset.of_split("train"))
    problems = plan_training(TrainingConfig(head=HeadConfig(output="sigmoid")), three, workspace).problems
    assert len(problems) == 2
