"""What the form remarks on, and that following the advice ends the remark."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tl_core.config import AUGMENTATION_LEVELS, HeadConfig, TrainingConfig
from ui.state.form_values import config_of, form_values
from ui.train_page.advice import Situation, advise
from ui.train_page.summary import options_summary, run_summary

TROUBLE = {
    "unfrozen, never trained": (
        Situation(config=TrainingConfig(frozen_layers=90), layers=100),
        "10 layers are not",
    ),
    "one layer unfrozen": (Situation(config=TrainingConfig(frozen_layers=99), layers=100), "1 layer is not frozen"),
    "nothing to tune": (Situation(config=TrainingConfig(fine_tune_epochs=5), layers=100), "all layers are frozen"),
    "too fast": (
        Situation(
            config=TrainingConfig(frozen_layers=50, fine_tune_epochs=5, fine_tune_learning_rate=1e-3), layers=100
        ),
        "2 times smaller than the head's",
    ),
    "random and frozen": (Situation(config=TrainingConfig(weights="random"), layers=100), "learned nothing"),
    "sigmoid": (
        Situation(config=TrainingConfig(head=HeadConfig(output="sigmoid")), layers=100, classes=3),
        "between two classes, and this dataset has 3",
    ),
    "unbalanced": (
        Situation(config=TrainingConfig(), layers=100, classes=2, smallest_class=50, largest_class=400),
        "8 times as many",
    ),
    "little data": (
        Situation(
            config=TrainingConfig(head=HeadConfig(dropout=0)),
            layers=100,
            classes=2,
            smallest_class=10,
            largest_class=12,
        ),
        "only 10 training images",
    ),
}


@pytest.mark.parametrize(("setting", "words"), TROUBLE.values(), ids=TROUBLE)
def test_a_trap_is_named(setting, words):
    assert [advice for advice in advise(setting) if words in advice.text]


@pytest.mark.parametrize(("setting", "words"), TROUBLE.values(), ids=TROUBLE)
def test_following_the_advice_ends_it(setting, words):
    (advice,) = [advice for advice in advise(setting) if words in advice.text]
    followed = config_of({**form_values(setting.config), **advice.changes})
    assert advice.action
    assert not [left for left in advise(replace(setting, config=followed)) if words in left.text]


def test_where_the_shape_tells_the_classes_a_border_is_advised():
    (advice,) = advise(Situation(config=TrainingConfig(), layers=100, classes=2, shape_tells=True))
    assert advice.changes == {"fit": "border"}
    assert advise(Situation(config=TrainingConfig(fit="border"), layers=100, classes=2, shape_tells=True)) == ()


@pytest.mark.parametrize(
    "config",
    [
        TrainingConfig(),
        TrainingConfig(frozen_layers=100),
        TrainingConfig(frozen_layers=80, fine_tune_epochs=10),
        TrainingConfig(frozen_layers=0, fine_tune_epochs=10, weights="random", fine_tune_learning_rate=1e-3),
        TrainingConfig(head=HeadConfig(output="sigmoid")),
        TrainingConfig(class_weights=True, augmentation=AUGMENTATION_LEVELS["light"]),
    ],
)
def test_sound_settings_are_left_alone(config):
    setting = Situation(config=config, layers=100, classes=2, smallest_class=100, largest_class=150)
    assert advise(setting) == ()


def test_the_folded_options_are_summed_up_in_one_line():
    config = TrainingConfig(
        optimizer="rmsprop",
        schedule="cosine",
        head=HeadConfig(pooling="flatten", dense_units=(256,), dropout=0.5),
        augmentation=AUGMENTATION_LEVELS["strong"],
        early_stopping_patience=5,
        class_weights=True,
        image_size=180,
    )
    assert options_summary(form_values(config)) == (
        "180 px images · RMSprop, cosine schedule · batches of 32 · flattened, hidden layers 256, dropout 0.5 · "
        "strong augmentation · label smoothing 0.05 · stops after 5 epochs without progress · balanced classes"
    )


def test_the_summary_bears_half_typed_hidden_layers():
    values = {**form_values(TrainingConfig()), "head.dense_units": "25x"}
    assert "average pooling, dropout 0.5" in options_summary(values)


def test_a_run_is_summed_up_in_one_line():
    assert run_summary(TrainingConfig()) == "EfficientNet-Lite0 · all layers frozen · learning rate 0.002"
    fine_tuned = TrainingConfig(
        backbone="vgg16", frozen_layers=15, fine_tune_epochs=5, learning_rate=1e-3, fine_tune_learning_rate=1e-5
    )
    assert run_summary(fine_tuned) == (
        "VGG16 · the first 15 layers frozen · learning rate 0.001 · fine-tuning rate 10⁻⁵"
    )
