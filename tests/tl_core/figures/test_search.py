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


def test_networks_that_answer_together_are_marked_at_what_they_cost_together():
    together = Tried(2, 31, 0.95, True, 36, 38, "larger + other")
    *_, mark = pareto_figure(TRIED, ensemble=together).data
    assert (mark.name, list(mark.x), list(mark.y)) == ("Together", [36], [0.95])
    _, front, *_ = pareto_figure(TRIED, ensemble=together).data
    assert list(front.x) == [12, 24, 36]
    assert max(front.marker.size) <= 16, "its own mark shows it; the front's is no larger than any other"
    *_, mark = progress_figure(TRIED, ensemble=together).data
    assert list(mark.x) == [31]
    assert "The networks together (larger + other) reach 95.0%" in describe_progress(TRIED, together)
    assert "reach 95.0% with 36 milliseconds and 38 MB" in describe_pareto(TRIED, together)
