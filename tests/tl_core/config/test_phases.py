"""One rule says whether there is a second phase, and what more epochs are of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tl_core.backbones.outline import load_outline
from tl_core.config import TrainingConfig
from tl_core.config.format_settings import format_rates, format_settings
from tl_core.config.phases import FINE_TUNE, HEAD, Phase, extended, fine_tunes, phases_of
from tl_core.errors import ConfigError
from tl_core.export.program import write_program
from tl_core.planning.speed import kind_of
from ui.train_page.summary import run_summary

LAYERS = len(load_outline("efficientnet_lite0").layers)
TUNED = TrainingConfig(epochs=30, frozen_layers=100, fine_tune_epochs=10)
ONE_PHASE = {
    "all frozen": replace(TUNED, frozen_layers=None),
    "as many frozen as there are": replace(TUNED, frozen_layers=LAYERS),
    "no epochs": replace(TUNED, fine_tune_epochs=0),
}


def test_a_training_with_layers_and_epochs_to_fine_tune_has_two_phases():
    head, tuned = phases_of(TUNED)
    assert head == Phase(HEAD, LAYERS, 30, TUNED.learning_rate)
    assert tuned == Phase(FINE_TUNE, 100, 10, TUNED.fine_tune_learning_rate)
    assert phases_of(TUNED, LAYERS) == (head, tuned)


@pytest.mark.parametrize("name", ONE_PHASE)
def test_without_fine_tuning_there_is_one_phase_everywhere(name):
    config = ONE_PHASE[name]
    assert phases_of(config) == (Phase(HEAD, LAYERS, 30, config.learning_rate),)
    assert not fine_tunes(config)
    assert "then" not in format_rates(config)
    assert "Epochs, fine-tuning" not in str(format_settings(config))
    assert "fine-tuning" not in run_summary(config)
    assert kind_of(config)["frozen_layers"] is None
    assert "Fine-tuning" not in [cell.title for cell in write_program(config, ["a", "b"])]


def test_a_backbone_that_is_not_known_can_still_be_shown():
    assert fine_tunes(replace(TUNED, backbone="of_another_version"))
    assert not fine_tunes(replace(TUNED, backbone="of_another_version", frozen_layers=None))


@pytest.mark.parametrize(
    ("trained", "epochs"),
    [
        ({HEAD: 3}, (8, 0)),
        ({HEAD: 30}, (35, 0)),
        ({HEAD: 30, FINE_TUNE: 10}, (30, 15)),
        ({HEAD: 12, FINE_TUNE: 4}, (12, 9)),
    ],
    ids=["stopped in the first", "stopped after it", "done", "stopped in the second"],
)
def test_more_epochs_are_of_the_phase_in_which_a_run_ended(trained, epochs):
    longer = extended(TUNED, trained, 5)
    assert (longer.epochs, longer.fine_tune_epochs) == epochs
    assert sum(phase.epochs for phase in phases_of(longer)) == sum(trained.values()) + 5


def test_more_epochs_than_a_phase_may_have_are_refused():
    with pytest.raises(ConfigError, match="Epochs must be"):
        extended(TUNED, {HEAD: 999}, 5)
