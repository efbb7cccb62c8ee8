"""Which classes the model confuses: the confusion matrix and its worst cells in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import streamlit as st

from tl_core.figures.confusion import (
    MAX_NUMBERED_CLASSES,
    MixUp,
    Numbers,
    confusion_figure,
    describe_confusion,
    mix_ups,
)
from tl_core.format import count
from ui.components.markdown import plain
from ui.components.plotly_ink import INK
from ui.evaluate_page.clicks import on_mark

OnCell = Callable[[int, int], None]
"""Told the true and the predicted class of the cell."""

NUMBERS: Final[dict[str, Numbers]] = {"Images": "count", "Percent of the row": "share"}
WITHOUT_LOGO: Final = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def confusion_view(matrix: np.ndarray, classes: Sequence[str], key: str, on_cell: OnCell) -> None:
    """Draw the matrix, a switch between images and percent, and the most frequent confusions.

    Args:
        matrix: ``(k, k)`` integers; row = true class, column = predicted class.
        classes: the ``k`` class names.
        key: prefix of the controls' keys.
        on_cell: called when a cell is clicked or tapped, before the page is drawn again.
    """
    left, right = st.columns([3, 2], gap="large")
    with left:
        numbers = _choose_numbers(key) if len(classes) <= MAX_NUMBERED_CLASSES else "count"
        with st.container(key=f"{key}-chart"):
            st.plotly_chart(
                confusion_figure(matrix, classes, numbers, INK),
                key=f"{key}-matrix",
                config=WITHOUT_LOGO,
                alt=describe_confusion(matrix, classes),
            )
        on_mark(f"{key}-chart", lambda cell: on_cell(int(cell[0]), int(cell[1])), f"{key}-clicks")
    with right:
        st.markdown("**How to read it**")
        st.markdown(
            "Each row is one class as it really is, each column an answer of the model. On the green diagonal both "
            "agree. Magenta beside it is a mix-up; the stronger, the larger its share of the row."
            " **Click or tap a cell** to see its images."
        )
        _mix_ups(matrix, classes, key, on_cell)


def _choose_numbers(key: str) -> Numbers:
    return NUMBERS[st.radio("Numbers in the cells", list(NUMBERS), horizontal=True, key=f"{key}-numbers")]


def _mix_ups(matrix: np.ndarray, classes: Sequence[str], key: str, on_cell: OnCell) -> None:
    st.markdown("**Most frequent mix-ups**")
    found = mix_ups(matrix, classes)
    if not found:
        st.markdown("None: every image got its right class.")
        return
    with st.container(gap="xsmall"):
        for place, mixed in enumerate(found):
            st.button(
                _line(mixed),
                key=f"{key}-mix-up-{place}",
                type="tertiary",
                icon=":material/photo_library:",
                help="Shows these images.",
                on_click=on_cell,
                args=(classes.index(mixed.true), classes.index(mixed.predicted)),
            )


def _line(mixed: MixUp) -> str:
    how_many = f"{mixed.count:,} of {count(mixed.images, 'image')}"
    return f"**{plain(mixed.true)}** taken for **{plain(mixed.predicted)}**: {how_many}"
