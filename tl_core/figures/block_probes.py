"""How far the classes are apart after each block of a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from tl_core.figures.layout import DEFAULT_INK, percent_axis, plain_layout
from tl_core.figures.palette import FROZEN, FROZEN_OUTLINE, TEST, TRAINABLE, TRAINABLE_OUTLINE

HEIGHT: Final = 220  # px
MOST_NUMBERS: Final = 10  # bars, above which the numbers on them would overlap
LABEL_INK: Final = "#10171f"
LABEL_GROUND: Final = "#ffffff"


def block_probes_figure(
    titles: Sequence[str],
    accuracies: Sequence[float],
    frozen: Sequence[bool],
    chance: float,
    ink: str = DEFAULT_INK,
) -> go.Figure:
    """Draw one bar per block, in the colours of the block map.

    Args:
        titles: of the blocks, first to last.
        accuracies: 0-1, after each block.
        frozen: whether the whole block is.
        chance: 0-1, accuracy of always answering the largest class.
        ink: colour of text.
    """
    numbers = [f"{accuracy:.0%}" for accuracy in accuracies] if len(titles) <= MOST_NUMBERS else None
    figure = go.Figure()
    figure.add_bar(
        x=list(range(len(titles))),
        y=list(accuracies),
        text=numbers,
        textposition="outside",
        textfont={"color": ink, "size": 11},
        cliponaxis=False,
        customdata=list(titles),
        marker={
            "color": [FROZEN if still else TRAINABLE for still in frozen],
            "line": {"color": [FROZEN_OUTLINE if still else TRAINABLE_OUTLINE for still in frozen], "width": 1},
        },
        hovertemplate="After <b>%{customdata}</b>: %{y:.1%}<extra></extra>",
        showlegend=False,
    )
    figure.add_hline(chance, line={"color": TEST, "dash": "dot", "width": 1.5})
    figure.add_annotation(
        **{"x": 1, "xref": "paper", "y": chance, "text": "guessing", "showarrow": False},
        **{"xanchor": "right", "yanchor": "bottom", "font": {"color": LABEL_INK, "size": 11}},
        bgcolor=LABEL_GROUND,  # it stands on the last bars, which are as light on the dark ground
    )
    blocks = {
        **{"tickvals": list(range(len(titles))), "ticktext": list(titles), "tickfont": {"color": ink, "size": 11}},
        **{"showgrid": False, "fixedrange": True, "automargin": True, "tickangle": -40},
    }
    return figure.update_layout(
        **plain_layout(blocks, percent_axis("", ink, range=[0, 1.12], tickvals=[0, 0.5, 1]), HEIGHT), bargap=0.15
    )
