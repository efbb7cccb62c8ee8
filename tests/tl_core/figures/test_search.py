"""Figures of a search."""

from __future__ import annotations

from tl_core.figures.search import (
    Tried,
    describe_importance,
    describe_pareto,
    describe_progress,
    importance_figure,
    pareto,
    pareto_figure,
    progress_figure,
)

TRIED = [
    Tried(0, 5, 0.80, True, 12, 14, "Quick start"),
    Tried(1, 9, 0.78, False, 12, 14, "<b>other</b>"),
    Tried(2, 20, 0.92, True, 24, 24, "larger"),
    Tried(3, 30, 0.90, False, 30, 24, "slower"),
]


def test_the_best_so_far_is_a_stair_to_the_latest_trial():
    dots, stairs, line = progress_figure(TRIED).data
    assert list(dots.x) == [5, 9, 20, 30]
    assert list(zip(stairs.x, stairs.y, strict=True)) == [(5, 0.8), (20, 0.92), (30, 0.92)]
    assert list(line.y) == [0.8, 0.8]
    assert dots.text[1] == "&lt;b&gt;other&lt;/b&gt;"
    assert "Fast has 80.0%, the best so far 92.0% after 30 seconds" in describe_progress(TRIED)


def test_only_what_nothing_beats_at_its_cost_is_on_the_front():
    assert [trial.number for trial in pareto(TRIED)] == [0, 2]
    _, front, quick_start = pareto_figure(TRIED).data
    assert list(front.x) == [12, 24]
    assert list(quick_start.y) == [0.8]
    assert describe_pareto(TRIED).endswith("92.0% with 24 milliseconds and 24 MB.")


def test_what_mattered_most_is_on_top():
    (bars,) = importance_figure({"pooling": 0.2, "backbone": 0.7, "<b>": 0.1}).data
    assert list(bars.y) == ["&lt;b&gt;", "pooling", "backbone"]
    assert describe_importance({"pooling": 0.2, "backbone": 0.8}).endswith("backbone 80%, pooling 20%.")
