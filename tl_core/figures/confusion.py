"""The confusion matrix: which classes a model separates and which it confuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import plotly.graph_objects as go

from tl_core.figures.layout import DEFAULT_INK, escape, plain_layout, shorten
from tl_core.figures.palette import RIGHT, WRONG, translucent

Numbers = Literal["count", "share"]

MAX_NUMBERED_CLASSES: Final = 15  # with more, a cell on a phone is too small for a number
MAX_LABEL: Final = 14  # characters of a class name on an axis; the whole name is in the hover text
# Opacity of the smallest and of the largest share: a single mistake must be visible, and where there are numbers,
# they must stay readable in light and dark.
OPACITY_UNDER_NUMBERS: Final = (0.16, 0.55)
OPACITY: Final = (0.5, 1.0)


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
    """Draw a confusion matrix; green on the diagonal is right, magenta off it is a confusion.

    The strength of a colour is the share of the row, so that rare classes are as visible as frequent ones.
    Colours are translucent, so one figure serves light and dark.

    Args:
        matrix: ``(k, k)`` integers; row = true class, column = predicted class.
        classes: the ``k`` class names.
        numbers: what stands in the cells: images, or percent of the row.
        ink: colour of the text.
    """
    labels = [escape(label) for label in axis_labels(classes)]
    numbered = len(classes) <= MAX_NUMBERED_CLASSES
    faintest, strongest = OPACITY_UNDER_NUMBERS if numbered else OPACITY
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))  # of each row; 0 in a row without images
    signed = shares * (2 * np.eye(len(matrix)) - 1)  # negative off the diagonal
    figure = go.Figure(
        go.Heatmap(
            z=[[round(value, 4) or None for value in row] for row in signed.tolist()],
            x=labels,
            y=labels,
            zmin=-1,
            zmax=1,
            colorscale=[
                [0.0, translucent(WRONG, strongest)],
                [0.499, translucent(WRONG, faintest)],
                [0.501, translucent(RIGHT, faintest)],
                [1.0, translucent(RIGHT, strongest)],
            ],
            showscale=False,
            hoverinfo="skip",  # the targets have it
            xgap=int(numbered),
            ygap=int(numbered),
        )
    )
    if numbered:
        figure.add_trace(_cell_numbers(matrix if numbers == "count" else shares * 100, labels, ink))
    figure.add_trace(_targets(matrix, classes, labels, ink, every_cell=numbered))
    return figure.update_layout(_layout(len(classes), ink))


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


def axis_labels(classes: Sequence[str]) -> list[str]:
    """Class names short enough for an axis, and all different, as the names are.

    The end, the beginning or the middle is left out, whichever keeps the names distinct.
    """
    kept = MAX_LABEL - 1
    for start, end in ((kept, 0), (0, kept), (kept - kept // 2, kept // 2)):  # characters of a long name that stay
        labels = [name if len(name) <= MAX_LABEL else f"{name[:start]}…{name[len(name) - end :]}" for name in classes]
        if len(set(labels)) == len(classes):
            return labels
    return [f"{number}: {shorten(name, MAX_LABEL)}" for number, name in enumerate(classes, start=1)]


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


def _cell_numbers(values: np.ndarray, labels: Sequence[str], ink: str) -> go.Scatter:
    """The numbers in the cells that have images; a share of less than half a percent is not shown as nothing."""
    rows, columns = np.nonzero(values)
    shown = np.rint(values[rows, columns]).astype(int).tolist()
    return go.Scatter(
        x=[labels[column] for column in columns.tolist()],
        y=[labels[row] for row in rows.tolist()],
        text=[f"{value:,}" if value else "<1" for value in shown],
        mode="text",
        textfont={"size": 13 if len(labels) <= 10 else 10, "color": ink},
        hoverinfo="skip",
        unselected={"textfont": {"color": ink}},  # Plotly would let them fade once a cell is chosen
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
