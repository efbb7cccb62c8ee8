"""Each rule speaks on the curve it is made for, and is silent on the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_core.advice.curve_rules import RULES, Curves, curves_of, remark_on
from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from tl_core.config.phases import layers_of
from tl_core.figures.history import History

PLAIN = TrainingConfig(head=HeadConfig(dropout=0.2))


def falling(start, end, epochs):
    return np.geomspace(start, end, epochs)


def curves(epochs=20, *, head_epochs=None, finished=True, config=PLAIN, classes=3, validation_images=200, **columns):
    """A good run: all that is not named is as it should be."""
    return Curves(
        config=config,
        layers=layers_of(config.backbone),
        classes=classes,
        validation_images=validation_images,
        finished=finished,
        loss=columns.get("loss", np.maximum(falling(1.0, 0.1, epochs), 0.2)),
        val_loss=columns.get("val_loss", np.maximum(falling(1.0, 0.1, epochs), 0.25)),
        accuracy=columns.get("accuracy", np.linspace(0.6, 0.97, epochs)),
        val_accuracy=columns.get("val_accuracy", np.linspace(0.6, 0.95, epochs)),
        head_epochs=epochs if head_epochs is None else head_epochs,
    )


def overfitting(**changes):
    epochs = 20
    val_loss = np.concatenate([falling(1.0, 0.4, 6), np.linspace(0.42, 0.7, epochs - 6)])
    return curves(epochs, loss=falling(1.0, 0.05, epochs), val_loss=val_loss, **changes)


BLOWN_UP = np.concatenate([falling(1.0, 0.5, 6), [0.8, 1.4, 2.3]])
EXAMPLES = {
    "loss blows up": curves(9, loss=BLOWN_UP, val_loss=BLOWN_UP),
    "wild start": curves(
        12,
        loss=np.concatenate([[32_000.0], np.full(11, 2.3)]),
        val_loss=np.concatenate([[900.0], np.full(11, 2.31)]),
        accuracy=np.full(12, 0.11),
        val_accuracy=np.full(12, 0.1),
        classes=10,
        config=replace(PLAIN, learning_rate=1.0),
    ),
    "nothing learned": curves(
        10,
        loss=np.full(10, 1.1),
        val_loss=np.full(10, 1.1),
        accuracy=np.full(10, 0.34),
        val_accuracy=np.full(10, 0.33),
    ),
    "fine-tuning in vain": curves(
        20,
        head_epochs=12,
        val_loss=np.concatenate([falling(1.0, 0.3, 12), np.full(8, 0.31)]),
        config=replace(PLAIN, frozen_layers=100, fine_tune_epochs=8),
    ),
    "over-fitting": overfitting(),
    "still improving": curves(20, val_loss=falling(1.0, 0.2, 20)),
    "under-fitting": curves(20, accuracy=np.linspace(0.5, 0.7, 20), val_accuracy=np.linspace(0.5, 0.69, 20)),
    "few validation images": curves(20, validation_images=12),
}


def test_every_rule_has_an_example():
    assert list(RULES) == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rule_speaks_on_its_curve_in_at_most_two_sentences(name):
    remark = remark_on(EXAMPLES[name])
    assert remark is not None
    assert remark.rule == name
    assert 1 <= remark.text.replace("0.", "0,").count(". ") + 1 <= 2
    assert remark.text.endswith(".")
    assert (remark.action is None) == (remark.config is None)
    assert remark.config != EXAMPLES[name].config


def test_a_good_run_gets_no_advice():
    assert remark_on(curves()) is None


def test_nothing_is_said_before_there_is_something_to_see():
    assert remark_on(overfitting()) is not None
    few = curves(3, loss=np.array([1.0, 0.5, 2.0]), val_loss=np.array([1.0, 0.5, 2.0]))
    assert remark_on(few) is None
    assert remark_on(curves(20, loss=np.full(20, np.nan))) is None


@pytest.mark.parametrize("name", ["still improving", "under-fitting", "few validation images"])
def test_a_run_in_progress_is_not_judged_by_its_end(name):
    assert remark_on(replace(EXAMPLES[name], finished=False)) is None


@pytest.mark.parametrize(
    "name", ["loss blows up", "wild start", "nothing learned", "fine-tuning in vain", "over-fitting"]
)
def test_what_is_wrong_now_is_said_while_it_runs(name):
    remark = remark_on(replace(EXAMPLES[name], finished=False))
    assert remark is not None
    assert remark.rule == name


def test_over_fitting_names_the_epoch_that_is_kept():
    remark = remark_on(overfitting())
    assert remark is not None
    assert "Validation loss has risen since epoch 6 while training loss falls" in remark.text
    assert "the kept model is epoch 6" in remark.text


def test_against_over_fitting_the_next_thing_is_tried_that_was_not():
    first = remark_on(overfitting()).config
    assert first.augmentation.enabled
    augmented = replace(PLAIN, augmentation=AUGMENTATION_LEVELS["light"])
    assert remark_on(overfitting(config=augmented)).config.head.dropout == 0.5
    dropped = replace(augmented, head=HeadConfig(dropout=0.5))
    assert remark_on(overfitting(config=dropped)).config.early_stopping_patience == 10
    tuned = replace(dropped, frozen_layers=100, fine_tune_epochs=10)
    best_while_tuning = overfitting(config=tuned, head_epochs=3)
    assert remark_on(best_while_tuning).config.frozen_layers is None


def test_the_rate_that_is_lowered_is_that_of_the_phase():
    assert remark_on(EXAMPLES["loss blows up"]).config.learning_rate == pytest.approx(2e-4)
    tuned = remark_on(EXAMPLES["fine-tuning in vain"]).config
    assert tuned.fine_tune_learning_rate == pytest.approx(PLAIN.fine_tune_learning_rate / 10)
    assert tuned.learning_rate == PLAIN.learning_rate


def test_a_rate_far_too_high_gets_a_sound_one():
    remark = remark_on(EXAMPLES["wild start"])
    assert "began at 32,000, far above that of guessing (2.3)" in remark.text
    assert remark.config.learning_rate == pytest.approx(2e-3)


def test_advice_that_changes_nothing_has_no_button():
    full = replace(PLAIN, epochs=1000)
    remark = remark_on(curves(20, val_loss=falling(1.0, 0.2, 20), config=full))
    assert remark.text.endswith("Give it twice as many epochs.")
    assert remark.action is None


column = st.lists(st.floats(0, 1e6), min_size=5, max_size=40)


@given(data=st.data(), epochs=st.integers(1, 40), head_epochs=st.integers(0, 40), finished=st.booleans())
def test_no_curve_is_too_strange(data, epochs, head_epochs, finished):
    losses = st.lists(st.floats(0, 1e6), min_size=epochs, max_size=epochs).map(np.array)
    shares = st.lists(st.floats(0, 1), min_size=epochs, max_size=epochs).map(np.array)
    names = {"loss": losses, "val_loss": losses, "accuracy": shares, "val_accuracy": shares}
    drawn = {name: data.draw(strategy) for name, strategy in names.items()}
    config = replace(PLAIN, frozen_layers=100, fine_tune_epochs=10)
    remark_on(curves(epochs, head_epochs=min(head_epochs, epochs), finished=finished, config=config, **drawn))


def test_the_curves_come_from_the_events_of_a_run(tmp_path):
    from tests.ui.pages_without_browser import pictures
    from tests.ui.trained_runs import ended_run
    from tl_core.data import import_uploads
    from tl_core.runs import read_events
    from tl_core.storage.workspace import Workspace

    workspace = Workspace(tmp_path).ensure()
    run = ended_run(workspace, import_uploads(workspace, pictures(), "Pets"), "First try")
    seen = curves_of(run, History().add(read_events(run.folder.events_file)))
    assert seen.epochs == len(seen.val_loss) > 0
    assert seen.classes == 2
    assert seen.finished
    assert seen.config == run.config


def test_of_a_network_that_was_deleted_since_the_remark_stays_and_offers_no_change():
    config = replace(PLAIN, backbone=f"gone-{32 * '0'}")
    remark = remark_on(replace(EXAMPLES["under-fitting"], config=config, layers=layers_of(config.backbone)))
    assert remark is not None
    assert remark.rule == "under-fitting"
    assert remark.config is None
