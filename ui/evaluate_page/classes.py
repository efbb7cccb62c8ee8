"""Precision, recall and F1 of each class, weakest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import pandas as pd
import streamlit as st

from tl_core.figures.palette import RIGHT
from tl_core.format import MISSING
from ui.components.csv_text import to_csv

COLUMNS: Final = ("class", "precision", "recall", "f1", "images")
SHARES: Final = ("precision", "recall", "f1")
PERCENT: Final = "%.1f %%"
ROW_HEIGHT: Final = 35  # px
MAX_HEIGHT: Final = 560  # px; more classes scroll inside the table


class ClassScores(Protocol):
    """What the table shows of one class; shares are 0-1, None where nothing can be said."""

    @property
    def name(self) -> str: ...
    @property
    def precision(self) -> float | None: ...
    @property
    def recall(self) -> float | None: ...
    @property
    def f1(self) -> float | None: ...
    @property
    def support(self) -> int: ...


def class_table(scores: Sequence[ClassScores], key: str, file_name: str) -> None:
    """Draw the scores, and a button that downloads them as CSV.

    Args:
        scores: one per class.
        key: prefix of the controls' keys.
        file_name: of the download.
    """
    rows = [(one.name, one.precision, one.recall, one.f1, one.support) for one in sorted(scores, key=_weakness)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table[list(SHARES)] = table[list(SHARES)].astype(float) * 100
    st.dataframe(
        table,
        hide_index=True,
        column_config=_columns(),
        height=min(MAX_HEIGHT, ROW_HEIGHT * (len(rows) + 1) + 3),
        row_height=ROW_HEIGHT,
        placeholder=MISSING,
        key=f"{key}-table",
        alt="Precision, recall, F1 and number of images of each class, the weakest first",
    )
    st.download_button(
        "Download the table",
        lambda: to_csv(COLUMNS, rows),
        file_name,
        "text/csv",
        key=f"{key}-csv",
        icon=":material/download:",
        on_click="ignore",
        help="As CSV, for a spreadsheet.",
    )


def _weakness(scores: ClassScores) -> tuple[bool, float]:
    return scores.support == 0, scores.f1 or 0.0


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "class": column.TextColumn("Class"),
        "precision": column.NumberColumn(
            "Precision", format=PERCENT, help="When the model answers this class, how often that is true."
        ),
        "recall": column.NumberColumn(
            "Recall", format=PERCENT, help="Of the images of this class, how many the model finds."
        ),
        "f1": column.ProgressColumn(
            "F1",
            format=PERCENT,
            min_value=0,
            max_value=100,
            color=RIGHT,
            help="Precision and recall in one figure (their harmonic mean): high only if both are.",
        ),
        "images": column.NumberColumn("Images", help="Images of this class that were asked (support)."),
    }
