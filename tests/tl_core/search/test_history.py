"""Why the leader leads, in words."""

from __future__ import annotations

from dataclasses import replace

from tl_core.search.history import (
    History,
    Trial,
    describe_effects,
    describe_importances,
    describe_left_out,
    effects,
    ensemble_of,
    tried,
)
from tl_core.search.space import SOURCES, dimensions, fits, quick_start_params

QUICK_START = quick_start_params(dimensions(SOURCES, unbalanced=False))


def trial(number: int, accuracy: float, **changes) -> Trial:
    return Trial(number, {**QUICK_START, **changes}, "complete", accuracy, 0.3, accuracy, (), 1.0, 1.0)


def test_what_each_change_brought_is_said():
    larger, blocks = SOURCES[2].name, 3
    trials = [
        trial(0, 0.90),
        trial(1, 0.93, source=larger),
        trial(2, 0.91, blocks=blocks),
        trial(3, 0.95, source=larger, blocks=blocks, dropout=0.2),
        trial(4, 0.949, source=larger, blocks=blocks),
    ]
    found = effects(trials, trials[0], trials[3])
    assert list(found) == ["source", "blocks", "dropout"]
    assert describe_effects(found, trials[3]) == (
        "EfficientNet-Lite0, 320 px gave 4.0 points and features of 3 blocks gave 2.0 points. Dropout made no "
        "difference."
    )


def test_what_was_only_changed_together_is_said_together():
    trials = [trial(0, 0.90), trial(1, 0.95, blocks=3, pooling="both", units=0)]
    assert describe_effects(effects(trials, trials[0], trials[1]), trials[1]) == (
        "Features of 3 blocks, average and max pooling and no hidden layer together gave 5.0 points."
    )


def test_of_many_settings_that_were_changed_together_the_first_are_named():
    changes = {"blocks": 3, "pooling": "both", "units": 0, "dropout": 0.0, "epochs": 20, "l2": 3e-3}
    trials = [trial(0, 0.90), trial(1, 0.95, **changes)]
    assert describe_effects(effects(trials, trials[0], trials[1]), trials[1]) == (
        "Features of 3 blocks, average and max pooling, no hidden layer, dropout and 2 other settings together gave "
        "5.0 points."
    )


def test_a_trial_of_before_there_was_a_penalty_is_one_of_today():
    event = trial(3, 0.9).to_event()
    del event["params"]["l2"]
    assert Trial.from_event(event) == trial(3, 0.9)
    assert fits(Trial.from_event(event).params, dimensions(SOURCES, unbalanced=False))


def test_quick_start_itself_is_named():
    assert describe_effects(effects([trial(0, 0.9)], trial(0, 0.9), trial(0, 0.9)), trial(0, 0.9)).startswith("It is")


def test_importances_name_the_few_that_matter():
    text = describe_importances({"source": 0.6, "blocks": 0.25, "dropout": 0.05})
    assert (
        text
        == "Over all trials the backbone and image size (60 %) and features of several blocks (25 %) mattered most."
    )
    assert describe_importances({}) == ""


def test_an_ensemble_costs_what_its_members_cost_together():
    trials = [trial(0, 0.90), trial(1, 0.93, source=SOURCES[2].name), trial(2, 0.91)]
    found = ensemble_of({"members": [1, 0], "accuracy": 0.95}, trials)
    fast, larger, _ = tried(trials)
    assert found is not None
    assert (found.accuracy, found.number, found.seconds) == (0.95, 0, 1.0)
    assert found.milliseconds == fast.milliseconds + larger.milliseconds
    assert found.megabytes == fast.megabytes + larger.megabytes
    assert ensemble_of({"members": [1], "accuracy": 0.93}, trials) is None
    assert ensemble_of({}, trials) is None, "a search at work, and one of before there were ensembles"


def test_what_was_left_out_for_one_reason_is_said_once():
    found = describe_left_out({"A": "No weights.", "B": "No time.", "C": "No weights."})
    assert found == ["A and C were left out. No weights.", "B was left out. No time."]


def test_a_search_at_work_has_taken_what_has_passed_since_its_last_trial():
    history = History(trials=[trial(0, 0.9)], latest=1000.0, began=900.0)
    assert history.elapsed_until(now=1005.0) == 1 + 5
    assert replace(history, began=5000.0).elapsed_until(now=5005.0) == 1 + 5, "gone on with after a while"
    assert History(began=900.0).elapsed_until(now=905.0) == 5
    assert History().elapsed_until(now=905.0) == 0, "its process has begun, but not to search"
