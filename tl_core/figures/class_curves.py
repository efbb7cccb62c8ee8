"""ROC and precision-recall curves of every class against all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from tl_core.figures.layout import (
    DEFAULT_INK,
    diagonal,
    escape,
    evenly_spaced,
    percent_axis,
    plain_layout,
    short_names,
)
from tl_core.figures.palette import RUNS, TEST, translucent

Kind = Literal["roc", "precision_recall"]
Values = npt.NDArray[np.floating[Any]]

NAMED_CLASSES: Final = 6  # drawn in colour and named: the weakest; all others are thin and grey
MAX_POINTS: Final = 6000  # in all
MAX_NAME: Final = 24  # characters of a class in the legend
MEAN: Final = "Mean of all classes"
MEAN_WIDTH: Final = 3.5  # px


@dataclass(frozen=True, slots=True)
class ClassCurve:
    """The curve of one class against all others; x never falls."""

    name: str
    x: Values  # ROC: share of the other classes' images called so; precision-recall: recall
    y: Values  # ROC: recall; precision-recall: precision
    area: float  # under the curve, 0-1: AUC, or average precision
    images: int  # of the class


@dataclass(frozen=True, slots=True)
class Words:
    """What a kind of curve is called."""

    title: str
    x: str
    y: str
    area: str  # short name of the area under it
    shape: str  # how Plotly joins two points


WORDS: Final[dict[Kind, Words]] = {
    "roc": Words("ROC curves", "False alarms: share of other images called so", "Found: recall", "AUC", "linear"),
    "precision_recall": Words(
        "Precision-recall curves", "Found: recall", "True: precision", "average precision", "vh"
    ),
}


def class_curves_figure(
    curves: Sequence[ClassCurve], mean: ClassCurve, kind: Kind, ink: str = DEFAULT_INK
) -> go.Figure:
    """Draw the weakest classes in colour, the others in grey, and the mean of all as a thick line.

    Args:
        curves: one per class, in any order.
        mean: over the classes.
        kind: which curves they are.
        ink: colour of text and of the mean.
    """
    ordered = sorted(curves, key=lambda curve: curve.area)
    points = max(24, MAX_POINTS // max(1, len(ordered)))
    traces = []
    shown = short_names([curve.name for curve in ordered], MAX_NAME)
    for place, curve in enumerate(ordered):
        named = place < NAMED_CLASSES
        color, width = (RUNS[place], 2) if named else (translucent(TEST, 0.5), 1)
        traces.append(_trace(curve, kind, escape(shown[place]), points, color, width, named))
    traces.reverse()  # coloured lines are drawn over grey ones
    figure = go.Figure([*traces, _trace(mean, kind, MEAN, len(mean.x), ink, MEAN_WIDTH)])
    if kind == "roc":
        figure.add_shape(diagonal(TEST, 1))
    return figure.update_layout(_layout(WORDS[kind], ink))


def describe_class_curves(curves: Sequence[ClassCurve], mean: ClassCurve, kind: Kind) -> str:
    """The curves as text, for screen readers."""
    words = WORDS[kind]
    weakest = min(curves, key=lambda curve: curve.area)
    return (
        f"{words.title} of {len(curves)} classes: the mean {words.area} is {mean.area:.3f}; "
        f"the weakest class is {weakest.name} with {weakest.area:.3f}."
    )


def _trace(
    curve: ClassCurve, kind: Kind, name: str, points: int, color: str, width: float, in_legend: bool | None = None
) -> go.Scatter:
    places = evenly_spaced(len(curve.x), points)
    return go.Scatter(
        x=np.round(curve.x[places], 4).tolist(),
        y=np.round(curve.y[places], 4).tolist(),
        name=f"{name} ({curve.area:.3f})",
        mode="lines",
        line={"color": color, "width": width, "shape": WORDS[kind].shape},
        showlegend=in_legend,
        hovertemplate=f"<b>{name}</b><br>%{{x:.1%}}, %{{y:.1%}}<extra></extra>",
    )


def _layout(words: Words, ink: str) -> dict[str, Any]:
    x, y = (percent_axis(title, ink, range=[-0.01, 1.02]) for title in (words.x, words.y))
    below = {
        "orientation": "h",
        "traceorder": "reversed",
        "y": -0.22,
        "yanchor": "top",
        "x": 0,
        "font": {"color": ink},
    }
    return plain_layout(x, y, 480, legend=below)
