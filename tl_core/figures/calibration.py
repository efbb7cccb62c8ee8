"""How far probabilities can be trusted: the calibration curve and the risk-coverage curve.

The calibration curve answers: of the predictions made with 80 % confidence, are 80 % right? The risk-coverage curve
shows what a rejection threshold costs and gains: the share of images that are answered, and how many of these
answers are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from tl_core.figures.layout import DEFAULT_INK, diagonal, evenly_spaced, percent_axis, plain_layout
from tl_core.figures.palette import ANSWER, RIGHT, TEST, VALIDATION, translucent

MAX_POINTS: Final = 400  # of the risk-coverage curve


Group = tuple[float, float, int]
"""Predictions of about the same probability: its mean (0-1), the share that is right (0-1), and their number."""
Point = tuple[float, float, float]
"""What a threshold does: itself, the share of images that is answered, and the share of these that is right, 0-1."""


def calibration_figure(groups: Sequence[Group], error: float, ink: str = DEFAULT_INK) -> go.Figure:
    """Draw the share of right predictions over their probability; calibrated ones are on the dotted diagonal.

    Args:
        groups: by probability; the larger a mark, the more predictions.
        error: expected calibration error, 0-1.
        ink: colour of the text.
    """
    most = max((count for _, _, count in groups), default=1)
    figure = go.Figure(
        go.Scatter(
            x=[round(confidence, 4) for confidence, _, _ in groups],
            y=[round(accuracy, 4) for _, accuracy, _ in groups],
            customdata=[count for _, _, count in groups],
            mode="lines+markers",
            line={"color": ANSWER, "width": 2},
            marker={
                "color": translucent(ANSWER, 0.75),
                "size": [8 + 18 * (count / most) ** 0.5 for _, _, count in groups],
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
    confidence, accuracy, count = max(groups, key=lambda group: group[2] * abs(group[0] - group[1]))
    if abs(confidence - accuracy) < 0.005:
        return text
    return (
        f"{text} The group that adds most to it: {count:,} answers given with {confidence:.0%} on average, of which "
        f"{accuracy:.0%} are right."
    )


def risk_coverage_figure(curve: Sequence[Point], chosen: Point, ink: str = DEFAULT_INK) -> go.Figure:
    """Draw accuracy over the share of images that are answered, with a mark where the chosen threshold lies.

    Args:
        curve: from *always answer* upwards.
        chosen: the threshold in question.
        ink: colour of the text.
    """
    shown = [curve[place] for place in evenly_spaced(len(curve), MAX_POINTS)]
    lowest = min(accuracy for _, _, accuracy in [*shown, chosen])
    figure = go.Figure(
        [
            go.Scatter(
                x=[round(coverage, 4) for _, coverage, _ in shown],
                y=[round(accuracy, 4) for _, _, accuracy in shown],
                customdata=[round(threshold, 4) for threshold, _, _ in shown],
                mode="lines",
                line={"color": VALIDATION, "width": 2.5},
                hovertemplate=(
                    "answers %{x:.1%} of the images<br>%{y:.1%} of these right<br>"
                    "from a probability of %{customdata:.1%} on<extra></extra>"
                ),
                showlegend=False,
            ),
            go.Scatter(
                x=[chosen[1]],
                y=[chosen[2]],
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
    threshold, coverage, accuracy = chosen
    return (
        f"Accuracy against the share of images that get an answer. Answering all, {curve[0][2]:.1%} are right. "
        f"With the chosen threshold of {threshold:.1%}, {coverage:.1%} are answered and {accuracy:.1%} of these are "
        "right."
    )
