"""Heads of a search on the processors of this machine."""

from __future__ import annotations

import threading

import pytest
from optuna.trial import TrialState

from tests.tl_core.search.loops import make_loop, overlapping_classes
from tl_core.errors import StoppedError
from tl_core.search.heads import Features
from tl_core.search.pools.threads import ThreadPool
from tl_core.search.space import SOURCES, TOGETHER
from tl_core.search.trials import TrialLoop

NAME = SOURCES[0].name


@pytest.fixture
def features() -> Features:
    return overlapping_classes(120, validation=20, noise=1.2)


@pytest.fixture
def loop(features, tmp_path) -> TrialLoop:
    return make_loop(features, tmp_path)


def test_groups_of_heads_are_measured_on_several_processors(loop, features, monkeypatch):
    used, groups, measure = set(), [], loop.measure
    both = threading.Barrier(2, timeout=60)

    def watched(group, *others):
        if len(groups) < 2:
            groups.append(group)
            both.wait()  # the first two are at work at the same time
        used.add(threading.current_thread().name)
        return measure(group, *others)

    monkeypatch.setattr(loop, "measure", watched)
    ThreadPool(2).run(loop, {NAME: features}, lambda: len(loop.trials) < 40, lambda: None)
    assert len(used) == 2
    assert [trial.number for trial in loop.trials] == list(range(len(loop.trials)))
    assert len(loop.trials) >= 40
    assert loop.complete[0].accuracy > 0.6
    assert loop.candidates(), "the answers of good ones are kept"


def test_heads_of_a_group_differ_only_in_what_each_makes_of_a_batch(loop, features):
    groups = []
    while not any(len(group) > 2 for group in groups):
        groups.append(loop.propose(lambda _: features))
        loop.record(groups[-1], loop.measure(groups[-1], features))
    first, *others = groups[-1]
    varied = {name for one in others for name, value in one.trial.params.items() if value != first.trial.params[name]}
    assert varied
    assert varied <= TOGETHER
    assert not first.config.head.dense_units


def test_a_stop_leaves_no_trace_of_what_was_at_work(loop, features):
    looked = []

    def stop() -> None:
        looked.append(None)
        if len(looked) == 2:  # something is at work by then
            raise StoppedError("Stopped.")

    with pytest.raises(StoppedError):
        ThreadPool(2).run(loop, {NAME: features}, lambda: True, stop)
    assert not loop.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    known = loop.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert len(known) == len(loop.trials), "what had ended by then is kept, the rest is not told of"


def test_what_goes_wrong_in_a_thread_ends_the_search(loop, features, monkeypatch):
    def fail(*_: object) -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr(loop, "measure", fail)
    with pytest.raises(MemoryError, match="no memory"):
        ThreadPool(2).run(loop, {NAME: features}, lambda: True, lambda: None)
