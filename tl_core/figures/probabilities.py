"""The prediction for one image: its likeliest classes as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import plotly.graph_objects as go

from tl_core.figures.layout import DEFAULT_INK, escape, short_names
from tl_core.figures.palette import ANSWER, RIGHT, translucent

ROW_HEIGHT: Final = 42  # px: the class name above, its bar below
TRACK: Final = "rgba(128, 140, 152, 0.18)"  # what a bar would fill at 100 %; on light and on dark
MAX_NAME: Final = 34  # characters that fit beside the percentage on a phone


def probability_figure(
    top: Sequence[tuple[str, float]], right: str | None = None, ink: str = DEFAULT_INK
) -> go.Figure:
    """Draw classes and their probabilities as bars from 0 to 100 %.

    Args:
        top: class name and probability (0-1), likeliest first.
        right: the true class where it is known; its bar is green.
        ink: colour of the text.
    """
    names = [name for name, _ in top]
    values = [value for _, value in top]
    rows = list(range(len(top)))
    bar: dict[str, Any] = {"orientation": "h", "y": rows, "width": 0.3, "hoverinfo": "skip", "showlegend": False}
    colors = [
        RIGHT if name == right else (ANSWER if row == 0 else translucent(ANSWER, 0.6))
        for row, name in enumerate(names)
    ]
    figure = go.Figure(
        [
            go.Bar(x=[1.0] * len(top), marker={"color": TRACK, "cornerradius": 4}, **bar),
            go.Bar(x=values, marker={"color": colors, "cornerradius": 4}, **bar),
        ]
    )
    shown = short_names(names, MAX_NAME)
    rows_of_text = enumerate(zip(shown, top, strict=True))
    labels = [label for row, (name, (_, value)) in rows_of_text for label in _labels(row, name, value, ink)]
    return figure.update_layout(
        barmode="overlay",
        annotations=labels,
        height=ROW_HEIGHT * len(top) + 4,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis={"range": [0, 1], "visible": False, "fixedrange": True},
        yaxis={"range": [len(top) - 0.75, -0.75], "visible": False, "fixedrange": True},
    )


def describe_probabilities(top: Sequence[tuple[str, float]]) -> str:
    """The bars as text, for screen readers."""
    return "Probabilities: " + ", ".join(f"{name} {probability_text(value)}" for name, value in top) + "."


def probability_text(value: float) -> str:
    """A probability as ``97.2 %``; never a rounded 0 % or 100 % where it is neither."""
    if 0 < value < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    return f"{value:.1%}".replace("%", " %")


def _labels(row: int, name: str, value: float, ink: str) -> list[dict[str, Any]]:
    text = {
        "yref": "y",
        "y": row - 0.22,
        "yanchor": "bottom",
        "xref": "x",
        "showarrow": False,
        "borderpad": 0,
        "font": {"color": ink, "size": 13},
    }
    style = ("<b>", "</b>") if row == 0 else ("", "")
    return [
        {**text, "x": 0, "xanchor": "left", "text": f"{style[0]}{escape(name)}{style[1]}"},
        {**text, "x": 1, "xanchor": "right", "text": f"{style[0]}{probability_text(value)}{style[1]}"},
    ]
