"""What is tried first, and what Optuna knows after a search was cut off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from optuna.trial import TrialState

from tests.tl_core.search.loops import make_loop, overlapping_classes
from tl_core.search.heads import Features
from tl_core.search.history import Trial
from tl_core.search.space import SOURCES, Source, dimensions
from tl_core.search.trials import TrialLoop, held_out_images
from tl_core.search.winner import _on_validation


@pytest.fixture(scope="module")
def features() -> Features:
    return overlapping_classes(90, validation=30, noise=1.4)


def run_one(loop: TrialLoop, features: Features) -> None:
    """Measure what is proposed next, one head or a group."""
    group = loop.propose(lambda _: features)
    loop.record(group, loop.measure(group, features))


@pytest.fixture
def loop_of(features, tmp_path):
    def make(sources: Sequence[Source], trials: Sequence[Trial] = ()) -> TrialLoop:
        return make_loop(features, tmp_path, held_out_images(features, 1)[:1], sources, trials)

    return make


def known(loop: TrialLoop):
    """All that Optuna's sampler and its pruner learn from."""
    ended = loop.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return [
        (
            trial.params,
            trial.state,
            trial.value if trial.state == TrialState.COMPLETE else None,
            trial.intermediate_values,
            {name: value for name, value in trial.system_attrs.items() if name.startswith("completed_rung")},
        )
        for trial in ended
    ]


def test_after_a_restart_optuna_knows_all_that_it_knew(loop_of, features):
    before = loop_of(SOURCES[:1])
    before.try_first(before.quick_start)
    before.try_source(SOURCES[0], features)
    while len(before.trials) < 24:
        run_one(before, features)
    events = [json.loads(json.dumps(trial.to_event())) for trial in before.trials]
    again = loop_of(SOURCES[:1], [Trial.from_event(event) for event in events])
    assert known(again) == known(before)
    assert {state for _, state, *_ in known(before)} == {TrialState.COMPLETE, TrialState.PRUNED}
    wider = before.widened(dimensions(SOURCES[:2], unbalanced=False))
    assert known(wider) == known(before), "with another backbone to choose from, too"


def test_a_regularized_linear_head_on_several_blocks_is_tried_first_on_every_source(loop_of, features):
    loop = loop_of(SOURCES[:1])
    loop.try_source(SOURCES[0], features)
    while loop.waiting:
        run_one(loop, features)
    heads = [trial.settings(1).head for trial in loop.trials]
    assert any(not head.dense_units and head.l2 and head.blocks > 1 and head.pooling == "both" for head in heads)
    assert all(trial.state == "complete" and trial.fixed for trial in loop.trials)
    again = replace(loop)
    again.try_source(SOURCES[0], features)
    assert not again.waiting, "what is known is not tried again"


def test_a_hidden_layer_is_tried_first_where_it_does_not_take_much_of_the_time(loop_of, features):
    for seconds, heads in ((600.0, 5), (0.1, 4)):
        loop = replace(loop_of(SOURCES[:1]), seconds=seconds)
        loop.try_source(SOURCES[0], features)
        assert loop.waiting == heads


def test_a_head_that_would_take_too_long_is_not_proposed(loop_of, features):
    loop = replace(loop_of(SOURCES[:1]), seconds=0.01)
    proposals = [proposal for _ in range(6) for proposal in loop.propose(lambda _: features)]
    assert not any(proposal.config.head.dense_units for proposal in proposals)


def test_with_many_images_what_a_run_will_reach_on_the_validation_images_is_known_already(loop_of, features):
    """Where one fold holds out the validation images; nothing is trained once more for it."""
    loop = loop_of(SOURCES[:1])
    loop.masks = features.validation[None]
    loop.try_source(SOURCES[0], features)
    while loop.waiting:
        run_one(loop, features)
    first, second = loop.complete[:2]
    known = _on_validation(loop, [first], {SOURCES[0].name: features})
    assert known == loop.on_validation(first.params, features).accuracy
    together = _on_validation(loop, [first, second], {SOURCES[0].name: features})
    answers = [loop.on_validation(trial.params, features).probabilities for trial in (first, second)]
    right = np.mean(answers, axis=0).argmax(axis=1) == features.labels[features.validation]
    assert together == pytest.approx(right.mean(), abs=0.04), "the answers are kept in 16 bits"


def test_of_few_images_the_loss_decides_and_of_many_the_accuracy(loop_of):
    few, many = loop_of(SOURCES[:1]), loop_of(SOURCES[:1])
    few.masks, few.labels = np.ones((1, 100), bool), np.arange(100) % 3
    many.masks, many.labels = np.ones((1, 2000), bool), np.arange(2000) % 3
    one_more_right, surer = (0.91, 0.5, 1.0), (0.90, 0.3, 1.0)
    assert few.score(*surer) > few.score(*one_more_right)
    assert many.score(*surer) < many.score(*one_more_right)
