"""From an evaluation to the bytes of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tl_core.data import Dataset
from tl_core.errors import ConfigError
from tl_core.evaluation.report.blocks import Block
from tl_core.evaluation.report.html import as_html
from tl_core.evaluation.report.markdown import as_markdown
from tl_core.evaluation.report.measures import Measures
from tl_core.evaluation.report.parts import all_parts, title
from tl_core.runs import RunRecord

FORMATS: Final[dict[str, Callable[[str, Iterable[Block]], str]]] = {
    ".html": as_html,
    ".htm": as_html,
    ".md": as_markdown,
}


def write_report(run: RunRecord, dataset: Dataset, measures: Measures, suffix: str = ".html") -> bytes:
    """The report as a file's content, UTF-8.

    Args:
        run: whose model was measured.
        dataset: that it was measured on.
        measures: what was measured.
        suffix: one of `FORMATS`.
    """
    return FORMATS[suffix](title(run), all_parts(run, dataset, measures)).encode()


def suffix_of(path: Path) -> str:
    """The suffix by which a file name chooses its format.

    Raises:
        ConfigError: there is no such format.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(f"A report is named something.html or something.md. Received: {path.name}.")
    return suffix
