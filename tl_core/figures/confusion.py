"""The confusion matrix: which classes a model separates and which it confuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import plotly.graph_objects as go

from tl_core.figures.layout import DEFAULT_INK, escape, plain_layout, short_names
from tl_core.figures.palette import MIX_UP_SHARES, MIX_UPS, RIGHT, translucent

Numbers = Literal["count", "share"]

MAX_NUMBERED_CLASSES: Final = 15  # with more, a cell on a phone is too small for a number
MAX_LABEL: Final = 14  # characters of a class name on an axis; the whole name is in the hover text
# Opacity of the green of the smallest and of the largest share: right answers stand back behind every mix-up, and
# numbers on them stay readable in light and dark.
OPACITY: Final = (0.1, 0.36)


@dataclass(frozen=True, slots=True)
class MixUp:
    """One class taken for another."""

    true: str
    predicted: str
    count: int  # images of `true` that the model took for `predicted`
    images: int  # images of `true` in all


def confusion_figure(
    matrix: np.ndarray, classes: Sequence[str], numbers: Numbers = "count", ink: str = DEFAULT_INK
) -> go.Figure:
    """Draw a confusion matrix; pale green on the diagonal is right, full magenta off it is a mix-up.

    The colour tells the share of the row, so that rare classes are as visible as frequent ones. A mix-up is the most
    visible kind of cell, on a light and on a dark page.

    Args:
        matrix: ``(k, k)`` integers; row = true class, column = predicted class.
        classes: the ``k`` class names.
        numbers: what stands in the cells: images, or percent of the row.
        ink: colour of the text.
    """
    labels = [escape(label) for label in short_names(classes, MAX_LABEL)]
    numbered = len(classes) <= MAX_NUMBERED_CLASSES
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))  # of each row; 0 in a row without images
    signed = shares * (2 * np.eye(len(matrix)) - 1)  # negative off the diagonal
    figure = go.Figure(
        go.Heatmap(
            z=[[round(value, 4) or None for value in row] for row in signed.tolist()],
            x=labels,
            y=labels,
            zmin=-1,
            zmax=1,
            colorscale=_color_scale(),
            showscale=False,
            hoverinfo="skip",  # the targets have it
            xgap=int(numbered),
            ygap=int(numbered),
        )
    )
    if numbered:
        figure.add_trace(_cell_numbers(matrix if numbers == "count" else shares * 100, shares, labels, ink))
    figure.add_trace(_targets(matrix, classes, labels, ink, every_cell=numbered))
    return figure.update_layout(_layout(len(classes), ink))


def mix_up_colors(share: float) -> tuple[str, str]:
    """Colour of a mix-up with this share of its row (0-1), and of the number on it."""
    return MIX_UPS[sum(share >= step for step in MIX_UP_SHARES)]


def _color_scale() -> list[tuple[float, str]]:
    """From -1, a mix-up of the whole row, in steps to 0, and from there to 1, all of the row right."""
    steps = [0.0, *MIX_UP_SHARES, 1.0]
    scale = []
    for place, (color, _) in reversed(list(enumerate(MIX_UPS))):
        begin, end = steps[place], steps[place + 1]
        scale += [((1 - end) / 2, color), ((1 - begin) / 2, color)]
    faintest, strongest = OPACITY
    return [*scale, (0.5, translucent(RIGHT, faintest)), (1.0, translucent(RIGHT, strongest))]


def describe_confusion(matrix: np.ndarray, classes: Sequence[str]) -> str:
    """The matrix as text, for screen readers."""
    right, images = int(np.trace(matrix)), int(matrix.sum())
    text = f"Confusion matrix of {len(classes)} classes: {right:,} of {images:,} images lie on the diagonal, right."
    worst = mix_ups(matrix, classes, limit=1)
    if not worst:
        return f"{text} No class was mixed up with another."
    first = worst[0]
    return (
        f"{text} The most frequent mix-up: {first.count:,} of {first.images:,} images of {first.true} "
        f"were taken for {first.predicted}."
    )


def mix_ups(matrix: np.ndarray, classes: Sequence[str], limit: int = 5) -> list[MixUp]:
    """The most frequent confusions, most images first, then the larger share of its class."""
    rows, columns = np.nonzero(matrix)
    found = [
        MixUp(classes[row], classes[column], int(matrix[row, column]), int(matrix[row].sum()))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if row != column
    ]
    return sorted(found, key=lambda mixed: (-mixed.count, mixed.images))[:limit]


def _targets(
    matrix: np.ndarray, classes: Sequence[str], labels: Sequence[str], ink: str, *, every_cell: bool
) -> go.Scatter:
    """What is pointed at and clicked: an invisible mark on each cell, as cells of a heatmap cannot be selected.

    Each carries its row and column. A matrix of many classes has marks only where there are images, which keeps it
    small.
    """
    rows, columns = np.indices(matrix.shape).reshape(2, -1) if every_cell else np.nonzero(matrix)
    totals = matrix.sum(axis=1)
    cells = list(zip(rows.tolist(), columns.tolist(), strict=True))
    return go.Scatter(
        x=[labels[column] for _, column in cells],
        y=[labels[row] for row, _ in cells],
        customdata=[list(cell) for cell in cells],
        hovertext=[_hover_text(classes, *cell, int(matrix[cell]), int(totals[cell[0]])) for cell in cells],
        hoverinfo="text",
        mode="markers",
        marker={"symbol": "square-open", "size": 30 if every_cell else 12, "color": ink, "opacity": 0},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0}},
        showlegend=False,
        cliponaxis=False,
    )


def _hover_text(classes: Sequence[str], row: int, column: int, count: int, images: int) -> str:
    verdict = "recognised" if row == column else f"taken for <b>{escape(classes[column])}</b>"
    if not count:
        return f"<b>{escape(classes[row])}</b>: none {verdict}"
    return f"<b>{escape(classes[row])}</b>: {count:,} of {images:,} {verdict} ({count / images:.1%})"


def _cell_numbers(values: np.ndarray, shares: np.ndarray, labels: Sequence[str], ink: str) -> go.Scatter:
    """The numbers in the cells that have images; a share of less than half a percent is not shown as nothing."""
    rows, columns = np.nonzero(values)
    cells = zip(rows.tolist(), columns.tolist(), strict=True)
    inks = [ink if row == column else mix_up_colors(float(shares[row, column]))[1] for row, column in cells]
    shown = np.rint(values[rows, columns]).astype(int).tolist()
    return go.Scatter(
        x=[labels[column] for column in columns.tolist()],
        y=[labels[row] for row in rows.tolist()],
        text=[f"{value:,}" if value else "<1" for value in shown],
        mode="text",
        textfont={"size": 13 if len(labels) <= 10 else 10, "color": inks},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )


def _layout(classes: int, ink: str) -> dict[str, Any]:
    numbered = classes <= MAX_NUMBERED_CLASSES
    axis: dict[str, Any] = {
        "type": "category",
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"size": 12 if numbered else 10, "color": ink},
        "ticks": "",
        "fixedrange": numbered,
    }
    title = {"standoff": 20, "font": {"size": 13, "color": ink}}
    return plain_layout(
        {**axis, "title": {"text": "The model said", **title}},
        {**axis, "title": {"text": "It really is", **title}, "autorange": "reversed"},
        min(860, max(340, 200 + 34 * classes)),
        dragmode=False if numbered else "zoom",
        # Where every cell has a mark, the nearest one is that of the cell itself, however large cells are.
        hoverdistance=-1 if numbered else 20,
    )
