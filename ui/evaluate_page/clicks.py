"""Clicks of a mouse and taps of a finger on the marks of a chart.

The selection of ``st.plotly_chart`` is not used for them. It takes the mark that the pointer was over last: for a
finger that is the one tapped before, and for a mouse on a busy machine it may be the one that it came from. A mark
that is chosen already it lets go instead. And no finger can scroll over a chart that can be selected in. Plotly's own
event tells what lies under the pointer when it is pressed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

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


def on_mark(chart: str, tell: Callable[[Any], None], key: str) -> None:
    """Tell which mark of a chart is clicked or tapped.

    Args:
        chart: key of the container that the chart is drawn in.
        tell: gets the ``customdata`` of the mark, before the page is drawn again.
        key: names this listener on its page.
    """

    def chosen() -> None:
        mark = st.session_state[key].get("chosen")
        if mark is not None:
            tell(mark)

    _MOUNT(key=key, data={"chart": chart}, on_chosen_change=chosen, height=1)
