"""What a report is made of, whatever kind of file it becomes; all texts are plain, each writer escapes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a part."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first column names the row, numbers stand in the others."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A Plotly figure, and what it shows as text."""

    figure: go.Figure
    words: str


Block = Heading | Paragraph | Table | Figure
