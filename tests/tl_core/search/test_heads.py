"""The quick training of heads follows the trainer's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tl_core.config import HeadConfig, TrainingConfig
from tl_core.search.heads import Material, calibrated_loss, fit_head, fit_heads

CONFIG = TrainingConfig(
    head=HeadConfig(feature_normalization="layer", dense_units=(16,), dropout=0.0),
    epochs=12,
    batch_size=16,
    learning_rate=5e-3,
)


@pytest.fixture(scope="module")
def material() -> Material:
    """Three classes that overlap; a fifth of the images is held out."""
    random = np.random.default_rng(0)
    labels = np.arange(150) % 3
    centres = random.normal(0, 1, (3, 24))
    features = (centres[labels] + random.normal(0, 1.2, (150, 24))).astype(np.float32)
    held_out = (np.arange(150) % 5 == 0)[None]
    return Material(features[None], labels.astype(np.int64), 3, held_out)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"head": HeadConfig(dropout=0.0), "optimizer": "adamw", "weight_decay": 0.1},
        {"head": HeadConfig(dropout=0.0, l2=0.03)},
    ],
    ids=["normalized, hidden layer", "weight decay, no hidden layer", "L2, no hidden layer"],
)
def test_a_head_learns_what_keras_teaches_it(material, changes):
    config = replace(CONFIG, **changes)
    outcome = fit_head(config, material)
    expected = keras_accuracy(config, material)
    assert outcome.accuracy == pytest.approx(expected, abs=0.1)
    assert outcome.accuracy > 0.6


def keras_accuracy(config: TrainingConfig, material: Material) -> float:
    import keras

    from tl_core.models.head import build_head
    from tl_core.models.optimizers import build_optimizer

    keras.utils.set_random_seed(1)
    model = build_head(config.head, (1, 1, material.views.shape[-1]), material.classes)
    learned, held_out = ~material.held_out[0], material.held_out[0]
    steps = -(-int(learned.sum()) // config.batch_size) * config.epochs
    optimizer = build_optimizer(
        config.optimizer, config.learning_rate, steps, schedule=config.schedule, weight_decay=config.weight_decay
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    features, targets = material.views[0][:, None, None], np.eye(material.classes)[material.labels]
    model.fit(features[learned], targets[learned], batch_size=config.batch_size, epochs=config.epochs, verbose=0)
    return float(model.evaluate(features[held_out], targets[held_out], verbose=0)[1])


def test_folds_together_learn_as_each_alone(material):
    masks = np.stack([np.arange(150) % 5 == fold for fold in range(5)])
    together = fit_head(CONFIG, replace(material, held_out=masks))
    alone = [fit_head(CONFIG, replace(material, held_out=mask[None])) for mask in masks]
    assert len(together.rows) == 150
    assert together.accuracy == pytest.approx(np.mean([outcome.accuracy for outcome in alone]), abs=0.05)


@pytest.mark.parametrize("units", [(), (16,)], ids=["no hidden layer", "hidden layer"])
def test_dropout_trains_too(material, units):
    head = HeadConfig(feature_normalization="layer", dense_units=units, dropout=0.4)
    assert fit_head(replace(CONFIG, head=head, epochs=30), material).accuracy > 0.6


def test_a_linear_head_with_a_penalty_is_a_regularized_logistic_regression(material):
    """At the end of its training; the epoch that counts may be an earlier one."""
    from sklearn.linear_model import LogisticRegression

    from tl_core.search import heads

    penalty, learned = 0.02, ~material.held_out[0]
    config = replace(
        CONFIG,
        head=HeadConfig(dropout=0.0, l2=penalty),
        label_smoothing=0.0,
        learning_rate=0.1,
        epochs=300,
        batch_size=256,
    )
    known = LogisticRegression(C=1 / (2 * penalty * learned.sum()), max_iter=1000)
    known.fit(material.views[0][learned], material.labels[learned])
    head = heads._Heads([config], material)
    for _ in range(config.epochs):
        head.train_epoch()
    [(_, found, _)] = head.check(config.epochs)
    assert found.probabilities == pytest.approx(known.predict_proba(material.views[0][~learned]), abs=0.01)


@pytest.mark.parametrize("units", [(), (16,)], ids=["no hidden layer", "hidden layer"])
def test_slopes_are_those_of_the_loss(material, units):
    """Against finite differences, in every layer, with the penalty."""
    from tl_core.search import heads

    parts = replace(CONFIG.head, dense_units=units, l2=0.05)
    head = heads._Heads([replace(CONFIG, head=parts, label_smoothing=0.1)], material)
    rows = head._learned[:20]
    changes: list[tuple[heads.Array, heads.Array]] = []
    head._optimizer.step = lambda *both: changes.extend(zip(*both, strict=True))  # type: ignore[method-assign]
    head._step(head._views[0, rows], rows)

    def loss() -> float:
        logits = head._logits(head._views[0, rows], 0)[:, 0]
        logs = logits - logits.max(1, keepdims=True)
        logs = logs - np.log(np.exp(logs).sum(1, keepdims=True))
        targets = np.eye(3)[material.labels[rows]] * 0.9 + 0.1 / 3
        return float(-(targets * logs).sum(1).mean()) + head._penalties()[0]

    for variable, slope in changes:
        place = np.unravel_index(np.abs(slope).argmax(), slope.shape)
        before, step = variable[place], 1e-2
        variable[place] = before + step
        above = loss()
        variable[place] = before - step
        below = loss()
        variable[place] = before
        assert (above - below) / (2 * step) == pytest.approx(slope[place], rel=0.05, abs=1e-4)


def test_rare_classes_count_as_much_where_classes_are_balanced(material):
    rare = (material.labels != 0) | (np.arange(150) % 9 == 3)
    few = Material(material.views[:, rare], material.labels[rare], 3, material.held_out[:, rare])
    from tl_core.search import heads

    weights = heads._Heads([replace(CONFIG, class_weights=True)], few)._image_weights[:, 0]
    learned = weights > 0
    sums = [weights[learned & (few.labels == label)].sum() for label in range(3)]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-3)
    assert weights[learned].mean() == pytest.approx(1, rel=1e-3)


def test_a_training_ends_when_it_is_told_that_it_cannot_win(material):
    told = []
    outcome = fit_head(CONFIG, material, lambda share, accuracy, loss: told.append(share) or len(told) == 3)
    assert outcome.ended_early
    assert len(told) == 3


def penalized(config: TrainingConfig, penalty: float) -> TrainingConfig:
    return replace(config, head=replace(config.head, l2=penalty))


@pytest.mark.parametrize(
    ("units", "dropout"),
    [((), 0.0), ((), 0.3), ((16,), 0.0)],
    ids=["no hidden layer", "no hidden layer, dropout", "hidden layer"],
)
def test_heads_that_are_trained_at_once_learn_what_each_learns_alone(material, units, dropout):
    masks = np.stack([np.arange(150) // 3 % 3 == fold for fold in range(3)])
    folds = replace(material, held_out=masks)
    plain = replace(CONFIG, head=replace(CONFIG.head, dense_units=units, dropout=dropout))
    configs = [
        plain,
        penalized(plain, 0.03),
        replace(plain, learning_rate=1e-3, label_smoothing=0.1),
        replace(plain, optimizer="adamw", weight_decay=0.5, class_weights=True),
    ]
    found = fit_heads(configs, folds, keep_weights=True)
    alone = [fit_head(config, folds, keep_weights=True) for config in configs]
    for one, other in zip(found, alone, strict=True):
        assert one.epoch == other.epoch
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-3)
        for ours, theirs in zip(one.weights, other.weights, strict=True):
            assert ours[0] == pytest.approx(theirs[0], abs=1e-3)
    assert len({outcome.loss for outcome in found}) == len(found), "what they differ in counts"
    assert found[0].accuracy > 0.6


def test_a_head_that_ends_early_leaves_the_others_as_they_are(material):
    configs = [penalized(CONFIG, penalty) for penalty in (0.0, 0.01, 0.03)]
    told: list[int] = []

    def end_the_second(place: int, *_: float) -> bool:
        told.append(place)
        return place == 1 and told.count(1) == 2

    first, second, third = fit_heads(configs, material, end_the_second)
    assert (first.ended_early, second.ended_early, third.ended_early) == (False, True, False)
    assert told.count(1) == 2
    for found, config in ((first, configs[0]), (third, configs[2])):
        assert found.probabilities == pytest.approx(fit_head(config, material).probabilities, abs=1e-3)


def test_heads_that_look_at_other_batches_are_not_trained_together(material):
    with pytest.raises(ValueError, match="same batches"):
        fit_heads([CONFIG, replace(CONFIG, batch_size=32)], material)


def test_how_sure_a_head_is_throughout_does_not_decide_between_heads(material):
    """Dropout and label smoothing calm every answer; what an answer is worth against the others stays."""
    probabilities = fit_head(CONFIG, material).probabilities
    labels = material.labels[material.held_out[0]]
    calm = probabilities**0.5 / (probabilities**0.5).sum(1, keepdims=True)
    assert calibrated_loss(calm, labels) == pytest.approx(calibrated_loss(probabilities, labels), abs=0.01)
    plain = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    assert calibrated_loss(probabilities, labels) <= plain + 1e-3
    worse = np.roll(probabilities, 1, axis=0)
    assert calibrated_loss(worse, labels) > calibrated_loss(probabilities, labels) + 0.1
