"""How far probabilities can be trusted: the calibration curve and the risk-coverage curve.

The calibration curve answers: of the predictions made with 80 % confidence, are 80 % right? The risk-coverage curve
shows what a rejection threshold costs and gains: the share of images that are answered, and how many of these
answers are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import plotly.graph_objects as go

from tl_core.figures.layout import DEFAULT_INK, diagonal, evenly_spaced, percent_axis, plain_layout
from tl_core.figures.palette import ANSWER, RIGHT, TEST, VALIDATION, translucent

MAX_POINTS: Final = 400  # of the risk-coverage curve


class Group(Protocol):
    """Predictions of about the same probability; `tl_core.inference.calibration.CalibrationBin` is one."""

    @property
    def confidence(self) -> float: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def count(self) -> int: ...


def calibration_figure(groups: Sequence[Group], error: float, ink: str = DEFAULT_INK) -> go.Figure:
    """Draw the share of right predictions over their probability; calibrated ones are on the dotted diagonal.

    Args:
        groups: by probability; the larger a mark, the more predictions.
        error: expected calibration error, 0-1.
        ink: colour of the text.
    """
    most = max((group.count for group in groups), default=1)
    figure = go.Figure(
        go.Scatter(
            x=[round(group.confidence, 4) for group in groups],
            y=[round(group.accuracy, 4) for group in groups],
            customdata=[group.count for group in groups],
            mode="lines+markers",
            line={"color": ANSWER, "width": 2},
            marker={
                "color": translucent(ANSWER, 0.75),
                "size": [8 + 18 * (group.count / most) ** 0.5 for group in groups],
                "line": {"color": ANSWER, "width": 1},
            },
            hovertemplate="said %{x:.1%}, right %{y:.1%} of %{customdata:,} answers<extra></extra>",
            showlegend=False,
            cliponaxis=False,
        )
    )
    figure.add_shape(diagonal(TEST, 1.5))
    figure.add_annotation(
        x=0.02,
        y=0.98,
        xanchor="left",
        yanchor="top",
        showarrow=False,
        text=f"Expected calibration error {error:.1%}".replace("%", " %"),
        font={"color": ink, "size": 13},
    )
    x = percent_axis("How sure it says it is", ink, range=[0, 1.02])
    y = percent_axis("How often it is right", ink, range=[0, 1.02])
    return figure.update_layout(plain_layout(x, y, 420))


def describe_calibration(groups: Sequence[Group], error: float) -> str:
    """The curve as text, for screen readers."""
    text = f"Calibration curve: expected calibration error {error:.1%}."
    if not groups:
        return text
    widest = max(groups, key=lambda group: group.count * abs(group.confidence - group.accuracy))
    if abs(widest.confidence - widest.accuracy) < 0.005:
        return text
    return (
        f"{text} The group that adds most to it: {widest.count:,} answers given with {widest.confidence:.0%} on "
        f"average, of which {widest.accuracy:.0%} are right."
    )


class Point(Protocol):
    """What one threshold does; `tl_core.inference.calibration.Coverage` is one."""

    @property
    def threshold(self) -> float: ...
    @property
    def coverage(self) -> float: ...
    @property
    def accuracy(self) -> float: ...


def risk_coverage_figure(curve: Sequence[Point], chosen: Point, ink: str = DEFAULT_INK) -> go.Figure:
    """Draw accuracy over the share of images that are answered, with a mark where the chosen threshold lies.

    Args:
        curve: from *always answer* upwards.
        chosen: the threshold in question.
        ink: colour of the text.
    """
    shown = [curve[place] for place in evenly_spaced(len(curve), MAX_POINTS)]
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
    x = percent_axis("Share of images it answers", ink, range=[0, 1.02])
    y = percent_axis("Share of these answers that is right", ink, range=[max(0.0, lowest - 0.05), 1.004])
    return figure.update_layout(plain_layout(x, y, 380))


def describe_risk_coverage(curve: Sequence[Point], chosen: Point) -> str:
    """The curve as text, for screen readers."""
    everything = curve[0]
    return (
        f"Accuracy against the share of images that get an answer. Answering all, {everything.accuracy:.1%} are "
        f"right. With the chosen threshold of {chosen.threshold:.1%}, {chosen.coverage:.1%} are answered and "
        f"{chosen.accuracy:.1%} of these are right."
    )
