"""Accuracy against the number of photos: what was measured, with its band, and where it goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Protocol

import plotly.graph_objects as go

from tl_core.figures.layout import DEFAULT_INK, percent_axis, plain_layout
from tl_core.figures.palette import VALIDATION, translucent

_HEIGHT: Final = 300  # px
_MARGIN: Final = 0.04  # beside the first and the last point, in powers of ten


class LearningCurve(Protocol):
    """What is drawn; `tl_core.audit.learning_curve.Curve` has the meanings."""

    @property
    def photos(self) -> Sequence[int]: ...
    @property
    def accuracy(self) -> Sequence[float]: ...
    @property
    def low(self) -> Sequence[float]: ...
    @property
    def high(self) -> Sequence[float]: ...
    @property
    def ahead(self) -> Sequence[int]: ...
    @property
    def forecast(self) -> Sequence[float]: ...
    @property
    def forecast_low(self) -> Sequence[float]: ...
    @property
    def forecast_high(self) -> Sequence[float]: ...


def learning_curve_figure(curve: LearningCurve, ink: str = DEFAULT_INK) -> go.Figure:
    """Draw a curve over a logarithmic axis of photos; the forecast is dotted, bands are areas."""
    measured = _line("Measured", curve.photos, curve.accuracy, "solid", "lines+markers")
    forecast = _line("Forecast", curve.ahead, curve.forecast, "dot", "lines")
    figure = go.Figure(
        [
            *_band(curve.photos, curve.low, curve.high, 0.25),
            *_band(curve.ahead, curve.forecast_low, curve.forecast_high, 0.14),
            measured,
            forecast,
        ]
    )
    # A shape takes the value on a logarithmic axis, a text and the range its logarithm.
    now, ends = math.log10(curve.ahead[0]), (math.log10(curve.photos[0]), math.log10(curve.ahead[-1]))
    figure.add_vline(x=curve.ahead[0], line={"color": ink, "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=now, y=1, yref="paper", text="now", showarrow=False, xanchor="left", yanchor="bottom", font={"color": ink}
    )
    marks = (*curve.photos, curve.ahead[-1])
    x = percent_axis(
        "Photos to train on",
        ink,
        type="log",
        tickformat=",d",
        tickvals=list(marks),
        range=[ends[0] - _MARGIN, ends[1] + _MARGIN],
    )
    lowest = min(*curve.low, *curve.forecast_low)
    y = percent_axis("Right on new pictures", ink, range=[max(0.0, lowest - 0.05), 1.01])
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    return figure.update_layout(plain_layout(x, y, _HEIGHT, legend=legend))


def describe_learning_curve(curve: LearningCurve, name: str) -> str:
    """The figure as text, for screen readers."""
    return (
        f"{name}: {curve.accuracy[0]:.0%} right with {curve.photos[0]:,} photos, {curve.accuracy[-1]:.0%} with "
        f"{curve.photos[-1]:,}; the forecast for {curve.ahead[-1]:,} is {curve.forecast[-1]:.0%}, between "
        f"{curve.forecast_low[-1]:.0%} and {curve.forecast_high[-1]:.0%}."
    )


def _line(name: str, photos: Sequence[int], values: Sequence[float], dash: str, mode: str) -> go.Scatter:
    return go.Scatter(
        name=name,
        x=list(photos),
        y=list(values),
        mode=mode,
        line={"color": VALIDATION, "width": 2.5, "dash": dash},
        hovertemplate="%{x:,d} photos: %{y:.1%}<extra>" + name + "</extra>",
    )


def _band(photos: Sequence[int], low: Sequence[float], high: Sequence[float], alpha: float) -> list[go.Scatter]:
    edge: dict[str, Any] = {
        "x": list(photos), "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False
    }  # fmt: skip
    return [
        go.Scatter(y=list(low), **edge),
        go.Scatter(y=list(high), fill="tonexty", fillcolor=translucent(VALIDATION, alpha), **edge),
    ]
