"""Which classes the model confuses: the confusion matrix, its worst cells in words, clicks and taps on its cells.

The selection of ``st.plotly_chart`` is not used for clicks. It takes the mark that the pointer was over last: for a
finger that is the one tapped before, and for a mouse on a busy machine it may be the one that it came from. A mark
that is chosen already it lets go instead. And no finger can scroll over a chart that can be selected in. Plotly's own
event tells what lies under the pointer when it is pressed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import streamlit as st

from tl_core.figures.confusion import (
    MAX_NUMBERED_CLASSES,
    Numbers,
    confusion_figure,
    describe_confusion,
    mix_ups,
)
from tl_core.storage.format import count
from ui.components.charts import INK, chart
from ui.components.markdown import plain

OnCell = Callable[[int, int], None]
"""Told the true and the predicted class of the cell."""

NUMBERS: Final[dict[str, Numbers]] = {"Images": "count", "Percent of the row": "share"}
_SCRIPT: Final = """
const known = new WeakSet() // charts that are listened to; one that is drawn anew may be another element
const tell = {} // by chart, of its latest drawing
let pressed = false // one press is told once, though Plotly hears of a tap as a touch and as a mouse

export default function ({ data, setTriggerValue }) {
  tell[data.chart] = (mark) => setTriggerValue("chosen", mark)
  const press = (event) => {
    const plot = event.target.closest?.(`.st-key-${data.chart} .js-plotly-plot`)
    if (!plot?.on) return
    pressed = true
    if (known.has(plot)) return
    known.add(plot)
    plot.on("plotly_click", ({ points }) => {
      if (pressed && points.length) tell[data.chart]?.(points[points.length - 1].customdata)
      pressed = false
    })
  }
  const scroll = () => (pressed = false) // the finger moves the page and means no mark
  document.addEventListener("pointerdown", press, { capture: true })
  document.addEventListener("pointercancel", scroll, { capture: true })
  return () => {
    document.removeEventListener("pointerdown", press, { capture: true })
    document.removeEventListener("pointercancel", scroll, { capture: true })
  }
}
"""

_MOUNT: Final = st.components.v2.component("chart_clicks", js=_SCRIPT)


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
        numbers: Numbers = "count"
        if len(classes) <= MAX_NUMBERED_CLASSES:
            numbers = NUMBERS[st.radio("Numbers in the cells", list(NUMBERS), horizontal=True, key=f"{key}-numbers")]
        with st.container(key=f"{key}-chart"):
            figure, alt = confusion_figure(matrix, classes, numbers, INK), describe_confusion(matrix, classes)
            chart(figure, alt, f"{key}-matrix", modeBarButtonsToRemove=["select2d", "lasso2d", "autoScale2d"])
        clicks = f"{key}-clicks"

        def chosen() -> None:
            if cell := st.session_state[clicks].get("chosen"):
                on_cell(int(cell[0]), int(cell[1]))

        _MOUNT(key=clicks, data={"chart": f"{key}-chart"}, on_chosen_change=chosen, height=1)
    with right:
        st.markdown("**How to read it**")
        st.markdown(
            "Each row is one class as it really is, each column an answer of the model. On the pale green diagonal "
            "both agree. Every magenta cell beside it is a mix-up; the deeper, the larger its share of the row."
            " **Click or tap a cell** to see its images."
        )
        _mix_ups(matrix, classes, key, on_cell)


def _mix_ups(matrix: np.ndarray, classes: Sequence[str], key: str, on_cell: OnCell) -> None:
    st.markdown("**Most frequent mix-ups**")
    found = mix_ups(matrix, classes)
    if not found:
        st.markdown("None: every image got its right class.")
        return
    with st.container(gap="xsmall"):
        for place, mixed in enumerate(found):
            st.button(
                f"**{plain(mixed.true)}** taken for **{plain(mixed.predicted)}**: "
                f"{mixed.count:,} of {count(mixed.images, 'image')}",
                key=f"{key}-mix-up-{place}",
                type="tertiary",
                icon=":material/photo_library:",
                help="Shows these images.",
                on_click=on_cell,
                args=(classes.index(mixed.true), classes.index(mixed.predicted)),
            )
