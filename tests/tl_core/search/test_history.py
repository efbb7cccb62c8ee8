"""Why the leader leads, in words."""

from __future__ import annotations

from tl_core.search.history import Trial, describe_effects, describe_importances, effects
from tl_core.search.space import SOURCES, dimensions, quick_start_params

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


def test_quick_start_itself_is_named():
    assert describe_effects(effects([trial(0, 0.9)], trial(0, 0.9), trial(0, 0.9)), trial(0, 0.9)).startswith("It is")


def test_importances_name_the_few_that_matter():
    text = describe_importances({"source": 0.6, "blocks": 0.25, "dropout": 0.05})
    assert (
        text
        == "Over all trials the backbone and image size (60 %) and features of several blocks (25 %) mattered most."
    )
    assert describe_importances({}) == ""
