"""From an evaluation to the bytes of a report: one web page that needs no network, or Markdown.

In the page are its style, its figures and the program that draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Final

from plotly.offline import get_plotlyjs

from tl_core.data import Dataset
from tl_core.errors import ConfigError
from tl_core.evaluation.report.blocks import Block, plain
from tl_core.evaluation.report.measures import Measures
from tl_core.evaluation.report.parts import all_parts
from tl_core.runs import RunRecord

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


def write_report(run: RunRecord, dataset: Dataset, measures: Measures, suffix: str = ".html") -> bytes:
    """The report as a file's content, UTF-8; ``suffix`` is one of `FORMATS`."""
    return FORMATS[suffix](f"Evaluation of “{run.name}”", all_parts(run, dataset, measures)).encode()


def suffix_of(path: Path) -> str:
    """The suffix by which a file name chooses its format.

    Raises:
        ConfigError: there is no such format.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(f"A report is named something.html or something.md. Received: {path.name}.")
    return suffix


def as_html(title: str, blocks: Iterable[Block], style: str = STYLE, script: str = "") -> str:
    """The whole page; Plotly's program is in it once, and ``script`` after it."""
    return PAGE.format(
        policy=escape(POLICY),
        title=escape(title),
        style=style,
        plotly=f"{get_plotlyjs()}\n{script}",
        body="\n".join(block.html(place) for place, block in enumerate(blocks)),
    )


def as_markdown(title: str, blocks: Iterable[Block]) -> str:
    """The whole report as Markdown."""
    return "\n\n".join([f"# {plain(title)}", *(block.markdown() for block in blocks)]) + "\n"


FORMATS: Final[dict[str, Callable[[str, Iterable[Block]], str]]] = {
    ".html": as_html,
    ".htm": as_html,
    ".md": as_markdown,
}
