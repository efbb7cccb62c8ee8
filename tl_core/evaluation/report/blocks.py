"""What a report is made of, each as HTML and as Markdown; all texts are plain, and escaped here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import plotly.graph_objects as go
import plotly.io

TEMPLATE: Final[dict[str, Any]] = {
    "layout": {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "color": "#333333"},
        "xaxis": {"gridcolor": "#e6ebef"},
        "yaxis": {"gridcolor": "#e6ebef"},
    }
}
CONFIG: Final = {"displaylogo": False, "responsive": True}
_MARKS: Final = frozenset("\\`*_{}[]<>#|~")


def plain(text: str) -> str:
    """Text from outside, so that Markdown shows it as it is, on one line."""
    return "".join(f"\\{char}" if char in _MARKS else char for char in " ".join(text.split()))


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a part."""

    text: str

    def html(self, _place: int) -> str:
        return f"<h2>{escape(self.text)}</h2>"

    def markdown(self) -> str:
        return f"## {plain(self.text)}"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences."""

    text: str

    def html(self, _place: int) -> str:
        return f"<p>{escape(self.text)}</p>"

    def markdown(self) -> str:
        return plain(self.text)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first column names the row, numbers stand in the others."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def html(self, _place: int) -> str:
        rows = "\n".join(f"<tr>{''.join(_cells(row))}</tr>" for row in self.rows)
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.head)
        # What scrolls has to be reached by keyboard too.
        return (
            f'<div class="table" tabindex="0" role="group" aria-label="{escape(", ".join(self.head))}">'
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"
        )

    def markdown(self) -> str:
        head, *rows = (f"| {' | '.join(map(plain, row))} |" for row in (self.head, *self.rows))
        return "\n".join([head, f"|{'---|' * len(self.head)}", *rows])


@dataclass(frozen=True, slots=True)
class Figure:
    """A Plotly figure, and what it shows as text, which is all of it in Markdown."""

    figure: go.Figure
    words: str

    def html(self, place: int) -> str:
        self.figure.update_layout(template=TEMPLATE)
        drawn = plotly.io.to_html(
            self.figure,
            full_html=False,
            include_plotlyjs=False,
            div_id=f"figure-{place}",
            config=CONFIG,
            default_height=f"{self.figure.layout.height}px",
        )
        return f"<figure>{drawn}<figcaption>{escape(self.words)}</figcaption></figure>"

    def markdown(self) -> str:
        return f"*{plain(self.words)}*"


Block = Heading | Paragraph | Table | Figure


def _cells(row: Sequence[str]) -> Iterator[str]:
    for place, cell in enumerate(row):
        yield f'<th scope="row">{escape(cell)}</th>' if place == 0 else f"<td>{escape(cell)}</td>"
