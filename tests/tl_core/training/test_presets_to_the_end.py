"""Every published walk-through runs to its end; without pretrained weights, since only its steps are looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.config.presets import PRESETS
from tl_core.runs import create_run, load_run, read_events
from tl_core.training import train

IMAGES_PER_CLASS = 6
EVERYDAY = ("quick_start", "vgg16_features", "vgg16_small_data", "few_images")  # have each kind of step
SIZE = 96  # px; the steps are the same at every size


@pytest.fixture(scope="module")
def few_images(workspace):
    return import_coloured(workspace, {name: COLOURS[name] for name in ("blue", "red")}, IMAGES_PER_CLASS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in EVERYDAY else pytest.mark.slow) for name in PRESETS]
)
def test_a_preset_trains_all_its_phases_and_leaves_a_model(workspace, few_images, name):
    preset = PRESETS[name].config
    config = replace(
        preset, weights="random", image_size=SIZE, epochs=1, fine_tune_epochs=min(1, preset.fine_tune_epochs)
    )
    run = create_run(workspace, config, few_images)
    train(config, few_images.path, run.path, lambda: False)
    run = load_run(run.path)
    assert run.status == "done"
    assert run.has_model
    epochs = [event["phase"] for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]
    assert epochs == ["head", "fine_tune"][: 1 + config.fine_tune_epochs]
