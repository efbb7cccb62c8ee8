"""What was measured is found again for trainings of its kind, and for no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from tl_core.planning.speed import PhaseSpeed, Speed, load_speed, save_speed
from tl_core.storage.workspace import Workspace

HEAD = PhaseSpeed(compile=1.0, frozen=0.01, changed=0.0, trace=0.2, learn=1e-4, check=1e-5)
SPEED = Speed(build=0.5, save=0.3, decode=0.02, head=HEAD)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path).ensure()


@pytest.mark.parametrize("speed", [SPEED, replace(SPEED, fine_tune=replace(HEAD, learn=0.1))], ids=["head", "both"])
def test_a_measurement_comes_back(workspace, speed):
    assert load_speed(workspace, TrainingConfig()) is None
    save_speed(workspace, TrainingConfig(), speed)
    assert load_speed(workspace, TrainingConfig()) == speed


@pytest.mark.parametrize(
    "same",
    [{"epochs": 3}, {"learning_rate": 0.1}, {"seed": 1}, {"class_weights": True}, {"image_size": 224}],
    ids=str,
)
def test_what_makes_no_difference_to_the_speed_is_of_the_same_kind(workspace, same):
    save_speed(workspace, TrainingConfig(), SPEED)
    assert load_speed(workspace, TrainingConfig(**same)) == SPEED


@pytest.mark.parametrize(
    "other",
    [
        {"backbone": "mobilenet"},
        {"image_size": 96},
        {"batch_size": 8},
        {"head": HeadConfig(dense_units=(64,))},
        {"frozen_layers": 100, "fine_tune_epochs": 2},
        {"augmentation": AUGMENTATION_LEVELS["light"]},
        {"precision": "float32"},
    ],
    ids=str,
)
def test_what_makes_a_difference_is_measured_by_itself(workspace, other):
    save_speed(workspace, TrainingConfig(), SPEED)
    assert load_speed(workspace, TrainingConfig(**other)) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"build": 1}'])
def test_a_damaged_measurement_counts_as_none(workspace, content):
    save_speed(workspace, TrainingConfig(), SPEED)
    (file,) = workspace.speeds.iterdir()
    file.write_text(content)
    assert load_speed(workspace, TrainingConfig()) is None
