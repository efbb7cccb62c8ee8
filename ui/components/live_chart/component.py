"""The Python side of the live chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.figures.comparison import ComparedRun, Progress, comparison_payload
from tl_core.figures.curves import curves_payload
from tl_core.figures.history import History
from ui.components.live_chart.plotly_bundle import bundle_url

_FOLDER: Final = Path(__file__).parent

_mount = st.components.v2.component(
    "transfer_learning_live_chart",
    html=(_FOLDER / "live_chart.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "live_chart.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "live_chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # Plotly puts its own style sheet into the document, where a shadow root cannot see it
)


def live_chart(history: History, *, key: str, title: str = "") -> None:
    """Draw the curves of a run, or bring the chart that is already there up to date.

    Args:
        history: the run's curves so far.
        key: names the chart on its page; the same key keeps the same chart, with its zoom.
        title: name of the run, for the names of downloaded files.
    """
    payload = curves_payload(history, revision=key, title=title)
    _mount(key=key, data={**payload, "plotly_url": bundle_url()})


def comparison_chart(runs: Sequence[ComparedRun], by: Progress, *, key: str) -> None:
    """Draw the curves of several runs over each other.

    Args:
        runs: in the order of their colours.
        by: what stands on the horizontal axis.
        key: names the chart on its page.
    """
    payload = comparison_payload(runs, by, revision=f"{key}-{by}")
    _mount(key=key, data={**payload, "plotly_url": bundle_url()})
