"""A search for the best model as figures: accuracy against time and against an answer's cost, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from tl_core.figures.layout import DEFAULT_INK, escape, percent_axis, plain_layout
from tl_core.figures.palette import ANSWER, RIGHT, TEST, translucent

_HEIGHT: Final = 340
_HOVER: Final = "%{y:.1%} · %{x:.0f} ms · %{customdata:.0f} MB<br>%{text}<extra></extra>"
_LEGEND: Final = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0}


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial that was measured to its end."""

    number: int
    seconds: float  # of the search when it ended
    accuracy: float  # on held-out images, 0-1
    leads: bool  # whether it was the best when it ended
    milliseconds: float  # that one answer takes, about
    megabytes: float  # of the model, about
    title: str  # what was chosen, in a few words


def progress_figure(tried: Sequence[Tried], ink: str = DEFAULT_INK, ensemble: Tried | None = None) -> go.Figure:
    """Draw every trial over the time, the best so far as a line, and *Quick start* as the line to beat.

    Args:
        tried: the trials in their order; the first is *Quick start*.
        ink: colour of the text.
        ensemble: the networks that answer together, where it is several that were chosen.
    """
    leaders = [trial for trial in tried if trial.leads]
    end = tried[-1].seconds
    steps = [(trial.seconds, trial.accuracy) for trial in leaders] + [(end, leaders[-1].accuracy)]
    figure = go.Figure(
        [
            go.Scatter(
                name="One trial",
                x=[round(trial.seconds, 1) for trial in tried],
                y=[round(trial.accuracy, 4) for trial in tried],
                text=[escape(trial.title) for trial in tried],
                mode="markers",
                marker={"size": 6, "color": translucent(TEST, 0.5)},
                hovertemplate="%{y:.1%} after %{x:.0f} s<br>%{text}<extra></extra>",
            ),
            go.Scatter(
                name="Best so far",
                x=[round(seconds, 1) for seconds, _ in steps],
                y=[round(accuracy, 4) for _, accuracy in steps],
                mode="lines",
                line={"color": RIGHT, "width": 2.5, "shape": "hv"},
                hovertemplate="best so far: %{y:.1%}<extra></extra>",
            ),
            go.Scatter(
                name="Fast",
                x=[0, round(end, 1)],
                y=[round(tried[0].accuracy, 4)] * 2,
                mode="lines",
                line={"color": ANSWER, "width": 2, "dash": "dot"},
                hovertemplate="Fast: %{y:.1%}<extra></extra>",
            ),
        ]
    )
    if ensemble is not None:
        figure.add_trace(_together(ensemble, ensemble.seconds, "%{y:.1%} together<br>%{text}<extra></extra>"))
    x = percent_axis("Seconds", ink, tickformat=",d", rangemode="tozero")
    y = percent_axis("Held-out images right", ink, range=_shown(tried))
    return figure.update_layout(plain_layout(x, y, _HEIGHT, legend=_LEGEND))


def describe_progress(tried: Sequence[Tried], ensemble: Tried | None = None) -> str:
    """The figure as text, for screen readers."""
    best = max(trial.accuracy for trial in tried)
    together = f" {_several(ensemble)} reach {ensemble.accuracy:.1%}." if ensemble else ""
    return (
        f"Accuracy of {len(tried)} trials over the time: Fast has {tried[0].accuracy:.1%}, the best so far "
        f"{best:.1%} after {tried[-1].seconds:.0f} seconds.{together}"
    )


def _several(ensemble: Tried) -> str:
    return f"The networks together ({ensemble.title})"


def _together(ensemble: Tried, x: float, hover: str) -> go.Scatter:
    """The mark of several networks that answer together."""
    return go.Scatter(
        name="Together",
        x=[round(x, 1)],
        y=[round(ensemble.accuracy, 4)],
        customdata=[round(ensemble.megabytes, 1)],
        text=[escape(ensemble.title)],
        mode="markers",
        marker={"size": 14, "symbol": "diamond", "color": RIGHT, "line": {"color": "#ffffff", "width": 1.5}},
        hovertemplate=hover,
    )


def pareto(tried: Sequence[Tried]) -> list[Tried]:
    """The trials that no other beats in accuracy at the same or a lower cost, the cheapest first."""
    front: list[Tried] = []
    for trial in sorted(tried, key=lambda trial: (trial.milliseconds, trial.megabytes, -trial.accuracy)):
        if not front or trial.accuracy > front[-1].accuracy:
            front.append(trial)
    return front


def pareto_figure(tried: Sequence[Tried], ink: str = DEFAULT_INK, ensemble: Tried | None = None) -> go.Figure:
    """Draw accuracy over the milliseconds of one answer; larger marks are larger models, the line joins the best.

    Args:
        tried: the trials; the first is *Quick start*.
        ink: colour of the text.
        ensemble: the networks that answer together, where it is several that were chosen.
    """
    most = max(trial.megabytes for trial in tried)
    front = pareto(_with(tried, ensemble))

    def marks(name: str, trials: Sequence[Tried], color: str, mode: str) -> go.Scatter:
        return go.Scatter(
            name=name,
            x=[round(trial.milliseconds, 1) for trial in trials],
            y=[round(trial.accuracy, 4) for trial in trials],
            customdata=[round(trial.megabytes, 1) for trial in trials],
            text=[escape(trial.title) for trial in trials],
            mode=mode,
            line={"color": color, "width": 2},
            marker={"size": [_size(trial, most) for trial in trials], "color": translucent(color, 0.6)},
            hovertemplate=_HOVER,
        )

    figure = go.Figure(
        [
            marks("One trial", tried, TEST, "markers"),
            marks("Best at its cost", front, RIGHT, "lines+markers"),
            marks("Fast", tried[:1], ANSWER, "markers"),
        ]
    )
    if ensemble is not None:
        figure.add_trace(_together(ensemble, ensemble.milliseconds, _HOVER))
    x = percent_axis("Milliseconds for one answer, about", ink, tickformat=",d", rangemode="tozero")
    y = percent_axis("Held-out images right", ink, range=_shown(tried))
    return figure.update_layout(plain_layout(x, y, _HEIGHT, legend=_LEGEND))


def describe_pareto(tried: Sequence[Tried], ensemble: Tried | None = None) -> str:
    """The figure as text, for screen readers."""
    front = "; ".join(map(_at_its_cost, pareto(_with(tried, ensemble))))
    together = f" {_several(ensemble)} reach {_at_its_cost(ensemble)}." if ensemble else ""
    return f"Accuracy against the time of one answer. Best at their cost: {front}.{together}"


def _at_its_cost(trial: Tried) -> str:
    return f"{trial.accuracy:.1%} with {trial.milliseconds:.0f} milliseconds and {trial.megabytes:.0f} MB"


def _with(tried: Sequence[Tried], ensemble: Tried | None) -> list[Tried]:
    return [*tried, *([ensemble] if ensemble else [])]


def _size(trial: Tried, most: float) -> float:
    """Of the mark, in pixels; the front may have a larger model than any trial: an ensemble, marked on its own."""
    return 6 + 10 * min(1.0, trial.megabytes / most)


def importance_figure(importances: Mapping[str, float], ink: str = DEFAULT_INK) -> go.Figure:
    """Draw how much each setting mattered, the most on top.

    Args:
        importances: share of each, 0-1, by its name.
        ink: colour of the text.
    """
    found = sorted(importances.items(), key=lambda one: one[1])
    bars = go.Bar(
        x=[round(share, 4) for _, share in found],
        y=[escape(name) for name, _ in found],
        orientation="h",
        marker={"color": translucent(TEST, 0.8)},
        hovertemplate="%{y}: %{x:.0%}<extra></extra>",
    )
    x = percent_axis("Share in what mattered", ink, rangemode="tozero")
    y = {"tickfont": {"color": ink}, "automargin": True, "fixedrange": True}
    return go.Figure(bars).update_layout(plain_layout(x, y, 80 + 26 * len(found)))


def describe_importance(importances: Mapping[str, float]) -> str:
    """The figure as text, for screen readers."""
    found = sorted(importances.items(), key=lambda one: -one[1])
    listed = ", ".join(f"{name} {share:.0%}" for name, share in found)
    return f"How much each setting mattered over all trials: {listed}."


def _shown(tried: Sequence[Tried]) -> list[float]:
    """The accuracies that are shown: all but those far below the line to beat, and at least a tenth."""
    lowest = min(max(trial.accuracy, tried[0].accuracy - 0.2) for trial in tried)
    return [min(0.9, lowest - 0.01), 1.01]  # a mark at 100 % is drawn whole
