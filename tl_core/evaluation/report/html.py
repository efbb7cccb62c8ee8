"""A report as one web page that needs no network: style, figures and the program that draws them are inside."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import plotly.io
from plotly.offline import get_plotlyjs

from tl_core.evaluation.report.blocks import Block, Figure, Heading, Paragraph, Table

# Nothing may be fetched from anywhere. Plotly makes functions of texts for its expressions, hence unsafe-eval.
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:"
)
STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #10171f; background: #fff; max-width: 60rem; margin: 0 auto;
  padding: 1.5rem 1rem 4rem; overflow-wrap: break-word; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #d5dde3; vertical-align: top; }
th { font-weight: 600; }
td { white-space: nowrap; } td:last-child { white-space: normal; overflow-wrap: anywhere; min-width: 6.5rem; }
figure { margin: 1rem 0; } figcaption { color: #45515d; font-size: 0.9rem; }
"""
PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<script>{plotly}</script>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
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


def as_html(title: str, blocks: Iterable[Block]) -> str:
    """The whole page; Plotly's program is in it once."""
    parts = [_WRITERS[type(block)](block, place) for place, block in enumerate(blocks)]
    return PAGE.format(
        policy=html.escape(POLICY),
        title=html.escape(title),
        style=STYLE,
        plotly=get_plotlyjs(),
        body="\n".join(parts),
    )


def _heading(block: Heading, _place: int) -> str:
    return f"<h2>{html.escape(block.text)}</h2>"


def _paragraph(block: Paragraph, _place: int) -> str:
    return f"<p>{html.escape(block.text)}</p>"


def _table(block: Table, _place: int) -> str:
    rows = "\n".join(f"<tr>{''.join(_cells(row))}</tr>" for row in block.rows)
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in block.head)
    # What scrolls has to be reached by keyboard too.
    return (
        f'<div class="table" tabindex="0" role="group" aria-label="{html.escape(", ".join(block.head))}">'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _cells(row: Iterable[str]) -> Iterator[str]:
    for place, cell in enumerate(row):
        yield f'<th scope="row">{html.escape(cell)}</th>' if place == 0 else f"<td>{html.escape(cell)}</td>"


def _figure(block: Figure, place: int) -> str:
    block.figure.update_layout(template=TEMPLATE)
    drawn = plotly.io.to_html(
        block.figure,
        full_html=False,
        include_plotlyjs=False,
        div_id=f"figure-{place}",
        config=CONFIG,
        default_height=f"{block.figure.layout.height}px",
    )
    return f"<figure>{drawn}<figcaption>{html.escape(block.words)}</figcaption></figure>"


_WRITERS: Final[dict[type, Callable[[Any, int], str]]] = {
    Heading: _heading,
    Paragraph: _paragraph,
    Table: _table,
    Figure: _figure,
}
