"""Axes, sizes and class names that several figures share."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

DEFAULT_INK: Final = "#333333"  # colour of text where the page's theme is not known


def percent_axis(title: str, ink: str, **changes: Any) -> dict[str, Any]:
    """A Plotly axis of shares, 0-1, that cannot be zoomed; ``changes`` are added or take precedence."""
    axis = {
        "tickformat": ".0%",
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"color": ink},
        "automargin": True,
        "title": {"text": title, "font": {"color": ink, "size": 13}},
    }
    return axis | changes


def plain_layout(x: dict[str, Any], y: dict[str, Any], height: int, **changes: Any) -> dict[str, Any]:
    """A Plotly layout of two axes with narrow margins, without dragging; ``height`` in px."""
    layout = {
        "xaxis": x,
        "yaxis": y,
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "closest",
        "dragmode": False,
    }
    return layout | changes


def diagonal(color: str, width: float) -> dict[str, Any]:
    """A dotted line from (0, 0) to (1, 1), as a Plotly shape."""
    line = {"color": color, "width": width, "dash": "dot"}
    return {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "line": line}


def escape(text: str) -> str:
    """A text without HTML: users choose class names, and Plotly interprets some HTML in its texts."""
    return html.escape(text, quote=False)


def short_names(names: Sequence[str], limit: int) -> list[str]:
    """Names short enough for an axis, a legend or a list, and all different where the names are.

    The end, the beginning or the middle is left out, whichever keeps the names distinct; else they are numbered.

    Args:
        names: as they are.
        limit: characters of each; a number comes on top.
    """
    kept = limit - 1
    for start, end in ((kept, 0), (0, kept), (kept - kept // 2, kept // 2)):  # characters of a long name that stay
        labels = [name if len(name) <= limit else f"{name[:start]}…{name[len(name) - end :]}" for name in names]
        if len(set(labels)) == len(set(names)):
            return labels
    cut = [name if len(name) <= limit else f"{name[:kept]}…" for name in names]
    return [f"{number}: {name}" for number, name in enumerate(cut, start=1)]


def evenly_spaced(length: int, limit: int) -> list[int]:
    """At most ``limit`` indices of a series of ``length`` values, evenly spaced, with both ends."""
    indices: list[int] = np.unique(np.linspace(0, length - 1, min(length, limit)).round().astype(int)).tolist()
    return indices
