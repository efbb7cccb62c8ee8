"""How many images each class has, and in which part of the split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import plotly.graph_objects as go

from tl_core.figures.layout import escape, short_names
from tl_core.figures.palette import SPLIT_COLORS, SPLIT_TITLES

ROW_HEIGHT: Final = 26  # px per class
MAX_HEIGHT: Final = 900  # px; with more classes the bars get thinner, and names are left out where they collide
MAX_LABEL: Final = 24  # characters of a class name beside its bar; the whole name is in the hover text


def class_counts_figure(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Draw one stacked bar per class, from top to bottom in the order given.

    Args:
        counts: images by class and split, as `tl_core.data.Dataset.counts` returns them.
    """
    places = list(range(len(counts)))
    names = list(counts)
    figure = go.Figure()
    for split, color in SPLIT_COLORS.items():
        values = [of_class.get(split, 0) for of_class in counts.values()]
        if any(values):
            figure.add_bar(
                orientation="h",
                x=values,
                y=places,
                name=SPLIT_TITLES[split],
                marker={"color": color},
                customdata=[escape(name) for name in names],
                hovertemplate="<b>%{customdata}</b>: %{x:,} " + SPLIT_TITLES[split].lower() + "<extra></extra>",
            )
    return figure.update_layout(
        barmode="stack",
        bargap=0.25,
        height=min(MAX_HEIGHT, 110 + ROW_HEIGHT * len(names)),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"},
        xaxis={"title": {"text": "Images"}, "tickformat": ",d", "automargin": True, "fixedrange": True},
        yaxis={
            "tickvals": places,
            "ticktext": [escape(name) for name in short_names(names, MAX_LABEL)],
            "autorange": "reversed",
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
        },
    )


def describe_class_counts(counts: Mapping[str, Mapping[str, int]]) -> str:
    """The bars as text, for screen readers."""
    totals = {name: sum(of_class.values()) for name, of_class in counts.items()}
    if not totals:
        return "Images per class: there are no classes."
    most, least = max(totals, key=totals.__getitem__), min(totals, key=totals.__getitem__)
    return (
        f"Images per class and part of the split, for {len(totals)} classes: from {totals[least]:,} ({least}) "
        f"to {totals[most]:,} ({most})."
    )
