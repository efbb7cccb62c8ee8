"""The calibration curve: of the predictions made with 80 %, are 80 % right?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import plotly.graph_objects as go

from tl_core.figures.palette import ANSWER, TEST, translucent


class Group(Protocol):
    """Predictions of about the same probability; `tl_core.inference.calibration.CalibrationBin` is one."""

    @property
    def confidence(self) -> float: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def count(self) -> int: ...


def calibration_figure(groups: Sequence[Group], error: float, ink: str = "#333333") -> go.Figure:
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
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"color": TEST, "width": 1.5, "dash": "dot"})
    figure.add_annotation(
        x=0.02,
        y=0.98,
        xanchor="left",
        yanchor="top",
        showarrow=False,
        text=f"Expected calibration error {error:.1%}".replace("%", " %"),
        font={"color": ink, "size": 13},
    )
    return figure.update_layout(_layout(ink))


def describe_calibration(groups: Sequence[Group], error: float) -> str:
    """The curve in words, for those who do not see it."""
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


def _layout(ink: str) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "range": [0, 1.02],
        "tickformat": ".0%",
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"color": ink},
        "automargin": True,
    }
    font = {"color": ink, "size": 13}
    return {
        "xaxis": {**axis, "title": {"text": "How sure it says it is", "font": font}},
        "yaxis": {**axis, "title": {"text": "How often it is right", "font": font}},
        "height": 420,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "closest",
        "dragmode": False,
    }
