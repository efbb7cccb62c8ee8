"""What *I don't know* costs and gains: the share of images that get an answer, against how many answers are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import plotly.graph_objects as go

from tl_core.figures.palette import RIGHT, VALIDATION

MAX_POINTS: Final = 400


class Point(Protocol):
    """What one threshold does; `tl_core.inference.calibration.Coverage` is one."""

    @property
    def threshold(self) -> float: ...
    @property
    def coverage(self) -> float: ...
    @property
    def accuracy(self) -> float: ...


def risk_coverage_figure(curve: Sequence[Point], chosen: Point, ink: str = "#333333") -> go.Figure:
    """Draw accuracy over the share of images that are answered, with a mark where the chosen threshold lies.

    Args:
        curve: from *always answer* upwards.
        chosen: the threshold in question.
        ink: colour of the text.
    """
    shown = _spread(curve)
    lowest = min([point.accuracy for point in shown] + [chosen.accuracy])
    figure = go.Figure(
        [
            go.Scatter(
                x=[round(point.coverage, 4) for point in shown],
                y=[round(point.accuracy, 4) for point in shown],
                customdata=[round(point.threshold, 4) for point in shown],
                mode="lines",
                line={"color": VALIDATION, "width": 2.5},
                hovertemplate=(
                    "answers %{x:.1%} of the images<br>%{y:.1%} of these right<br>"
                    "from a probability of %{customdata:.1%} on<extra></extra>"
                ),
                showlegend=False,
            ),
            go.Scatter(
                x=[chosen.coverage],
                y=[chosen.accuracy],
                mode="markers",
                marker={"symbol": "star", "size": 18, "color": RIGHT, "line": {"color": ink, "width": 1}},
                hoverinfo="skip",
                showlegend=False,
                cliponaxis=False,
            ),
        ]
    )
    return figure.update_layout(_layout(lowest, ink))


def describe_risk_coverage(curve: Sequence[Point], chosen: Point) -> str:
    """The curve in words, for those who do not see it."""
    everything = curve[0]
    return (
        f"Accuracy against the share of images that get an answer. Answering all, {everything.accuracy:.1%} are "
        f"right. With the chosen threshold of {chosen.threshold:.1%}, {chosen.coverage:.1%} are answered and "
        f"{chosen.accuracy:.1%} of these are right."
    )


def _spread(curve: Sequence[Point]) -> list[Point]:
    """At most `MAX_POINTS` of the curve, spread evenly, both ends among them."""
    if len(curve) <= MAX_POINTS:
        return list(curve)
    step = (len(curve) - 1) / (MAX_POINTS - 1)
    return [curve[round(place * step)] for place in range(MAX_POINTS)]


def _layout(lowest: float, ink: str) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "tickformat": ".0%",
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"color": ink},
        "automargin": True,
    }
    font = {"color": ink, "size": 13}
    return {
        "xaxis": {**axis, "range": [0, 1.02], "title": {"text": "Share of images it answers", "font": font}},
        "yaxis": {
            **axis,
            "range": [max(0.0, lowest - 0.05), 1.004],
            "title": {"text": "Share of these answers that is right", "font": font},
        },
        "height": 380,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "closest",
        "dragmode": False,
    }
