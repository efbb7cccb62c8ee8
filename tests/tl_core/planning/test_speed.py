"""What was measured is found again for trainings of its kind, and for no others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from tl_core.config.presets import GOALS, PRESETS
from tl_core.planning import plan_training
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
        _ran(workspace, TrainingConfig(), dataset, rate=rate, device=device)
    known = known_speed(TrainingConfig(), workspace)
    assert known.measured
    assert known.speed.head.frozen == pytest.approx(1 / 400)


ACCURATE = PRESETS["most_accurate"].config
PHONE = PRESETS["phone"].config


def test_a_measurement_of_one_backbone_sets_the_scale_for_the_others(workspace):
    # Published for one phone: 12 ms for EfficientNet-Lite0 at 224 pixels, 26 ms for EfficientNet-Lite2 at 260.
    for measured in (0.01, 0.16):
        save_speed(workspace, TrainingConfig(), replace(SPEED, quiet=True, head=replace(HEAD, frozen=measured)))
        assert known_speed(ACCURATE, workspace).speed.head.frozen == pytest.approx(measured * 26 / 12)
        assert known_speed(PHONE, workspace).speed.head.frozen == pytest.approx(measured * (160 / 224) ** 2)
        for file in workspace.speeds.iterdir():
            file.unlink()


def test_what_depends_little_on_the_kind_is_taken_from_what_was_measured(workspace):
    slow = Speed(
        build=7.0, save=4.0, decode=0.1, head=replace(HEAD, compile=18.0, frozen=0.16, learn=0.01), quiet=True
    )
    save_speed(workspace, TrainingConfig(), slow)
    guessed = known_speed(ACCURATE, workspace)
    assert not guessed.exact
    assert (guessed.speed.build, guessed.speed.save, guessed.speed.decode) == (7.0, 4.0, 0.1)
    assert guessed.speed.head.compile == 18.0
    assert guessed.speed.fine_tune.learn > 0.01


def test_a_measurement_on_a_busy_machine_is_as_much_shorter_as_the_best_known_says(workspace):
    busy = Speed(8.0, 4.0, 0.4, replace(HEAD, compile=16.0, frozen=0.16))
    save_speed(workspace, TrainingConfig(), busy)
    assert known_speed(TrainingConfig(), workspace).speed == busy
    save_speed(workspace, ACCURATE, Speed(1.0, 1.0, 0.1, replace(HEAD, frozen=0.02 * 26 / 12), quiet=True))
    known = known_speed(TrainingConfig(), workspace)
    assert known.exact
    assert known.speed.head.frozen == pytest.approx(0.02)
    assert known.speed.build == pytest.approx(1.0)
    assert known.speed.head.compile == pytest.approx(2.0)


def test_a_head_learns_no_slower_than_it_has_in_an_earlier_run(workspace):
    dataset = import_coloured(workspace, COLOURS, count=8)
    run = _ran(workspace, TrainingConfig(), dataset, rate=100.0)
    with EventLog(run.folder.events_file) as events:
        for rate in (900.0, 2000.0, 1500.0):
            events.write("batch", phase="head", epoch=1, batch=1, batches=1, images_per_second=rate)
    busy = replace(SPEED, head=replace(HEAD, learn=4e-3, check=8e-4))
    save_speed(workspace, TrainingConfig(), busy)
    head = known_speed(TrainingConfig(), workspace).speed.head
    assert (head.learn, head.check) == (pytest.approx(5e-4), pytest.approx(1e-4))
    other = TrainingConfig(batch_size=8)
    save_speed(workspace, other, busy)
    assert known_speed(other, workspace).speed.head.learn == pytest.approx(4e-3), "no such head has learned yet"


@pytest.mark.parametrize("busy", ["quick_start", "most_accurate"])
def test_the_goals_keep_their_order_whichever_of_them_was_measured_while_something_else_worked(workspace, busy):
    dataset = import_coloured(workspace, COLOURS, count=8)
    slow = Speed(7.0, 4.0, 0.1, replace(HEAD, compile=18.0, frozen=0.16 * (1 if busy == "quick_start" else 26 / 12)))
    save_speed(workspace, PRESETS[busy].config, slow)
    fast, accurate, few, phone = (plan_training(PRESETS[goal].config, dataset, workspace).seconds for goal in GOALS)
    assert phone < fast < few
    assert fast < accurate < 4 * fast


def test_a_run_of_another_backbone_sets_the_scale_too_but_not_where_nothing_was_published(workspace):
    dataset = import_coloured(workspace, COLOURS, count=8)
    _ran(workspace, TrainingConfig(), dataset, rate=10.0)
    assert known_speed(ACCURATE, workspace).speed.head.frozen == pytest.approx(0.1 * 26 / 12)
    unpublished = TrainingConfig(backbone="mobilenet_v3_small")
    _ran(workspace, unpublished, dataset, rate=2.0)
    assert known_speed(unpublished, workspace).speed.head.frozen == pytest.approx(0.5)


def _ran(workspace, config, dataset, *, rate, device="CPU"):
    run = create_run(workspace, config, dataset)
    with EventLog(run.folder.events_file) as log:
        log.write("progress", phase="features", done=10, total=10, images_per_second=rate)
    return update_run(run.path, status="done", device=device)
