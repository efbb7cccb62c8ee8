"""What was measured is found again for trainings of its kind, and for no others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from tl_core.planning.speed import PhaseSpeed, Speed, known_speed, load_speed, save_speed
from tl_core.runs import EventLog, create_run, update_run
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


SLOW = replace(SPEED, build=2.0, head=replace(HEAD, frozen=0.2, learn=1e-5))


def test_of_two_measurements_on_a_busy_machine_the_faster_figures_stay(workspace):
    for speed in (SPEED, SLOW):
        save_speed(workspace, TrainingConfig(), speed)
    assert load_speed(workspace, TrainingConfig()) == replace(SPEED, head=replace(HEAD, learn=1e-5))


@pytest.mark.parametrize("order", [1, -1], ids=["quiet last", "busy last"])
def test_what_was_measured_in_quiet_stays(workspace, order):
    quiet = replace(SLOW, quiet=True)
    for speed in [SPEED, quiet][::order]:
        save_speed(workspace, TrainingConfig(), speed)
    assert load_speed(workspace, TrainingConfig()) == quiet


def test_a_measurement_of_an_earlier_version_counts_as_one_on_a_busy_machine(workspace):
    save_speed(workspace, TrainingConfig(), SPEED)
    (file,) = workspace.speeds.iterdir()
    file.write_text(
        json.dumps({name: value for name, value in json.loads(file.read_text()).items() if name != "quiet"})
    )
    found = load_speed(workspace, TrainingConfig())
    assert found == SPEED
    assert not found.quiet


def test_a_run_that_had_to_share_the_machine_does_not_slow_the_next_plan(workspace):
    dataset = import_coloured(workspace, COLOURS, count=8)
    for rate, device in ((40.0, "CPU"), (400.0, "CPU"), (9000.0, "GPU"), (20.0, "CPU")):
        run = create_run(workspace, TrainingConfig(), dataset)
        with EventLog(run.folder.events_file) as log:
            log.write("progress", phase="features", done=10, total=10, images_per_second=rate)
        update_run(run.path, status="done", device=device)
    known = known_speed(TrainingConfig(), workspace)
    assert known.measured
    assert known.speed.head.frozen == pytest.approx(1 / 400)
