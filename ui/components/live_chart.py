"""The live chart: one chart of a run's curves that grows without flashing and keeps the reader's zoom.

``st.plotly_chart`` is mounted anew whenever its data changes. This component owns one ``<div>`` and hands every
update to ``Plotly.react`` with a fixed ``uirevision``, so the same node stays, with its zoom, its hidden lines and
its smoothing. What it draws comes from `tl_core.figures.curves`; what only the browser knows (theme, width,
smoothing, logarithmic scale, downloads) is in ``live_chart.js`` and never runs the page again. ``plotly.min.js`` is
served from the installed plotly package, so that the chart needs no network.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st

from tl_core.figures.curves import Progress, comparison_payload, curves_payload
from tl_core.figures.history import History
from tl_core.storage.files import write_bytes

_ASSETS: Final = Path(__file__).parent / "assets"

_mount = st.components.v2.component(
    "transfer_learning_live_chart",
    html=(_ASSETS / "live_chart.html").read_text(encoding="utf-8"),
    css="".join((_ASSETS / f"{name}.css").read_text(encoding="utf-8") for name in ("slider", "live_chart")),
    js=(_ASSETS / "live_chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # Plotly puts its own style sheet into the document, where a shadow root cannot see it
)
STATIC: Final = Path(__file__).resolve().parents[2] / "static"  # what Streamlit serves as app/static/


def live_chart(history: History, *, key: str, title: str = "") -> None:
    """Draw the curves of a run, or bring the chart that is already there up to date.

    The same key keeps the same chart, with its zoom; the title is the name of the run, for downloaded files.
    """
    payload = curves_payload(history, revision=key, title=title)
    _mount(key=key, data={**payload, "plotly_url": bundle_url()})


def comparison_chart(runs: Sequence[tuple[str, History]], by: Progress, colors: Sequence[str], *, key: str) -> None:
    """Draw the curves of several runs, each with its name and colour; ``by`` is the horizontal axis."""
    payload = comparison_payload(runs, by, revision=f"{key}-{by}", colors=colors)
    _mount(key=key, data={**payload, "plotly_url": bundle_url()})


@functools.cache
def bundle_url() -> str:
    """Address of the bundle, relative to the page; the file is put into ``static/`` if it is not there.

    The version is part of the name, so that a browser never keeps an old one.

    Raises:
        WorkspaceError: ``static/`` beside ``app.py`` cannot be written.
    """
    plotly = importlib.metadata.distribution("plotly")
    source = Path(str(plotly.locate_file("plotly/package_data/plotly.min.js")))
    target = STATIC / f"plotly-{plotly.version}.min.js"
    if not target.is_file() or target.stat().st_size != source.stat().st_size:
        write_bytes(target, source.read_bytes())
    return f"app/static/{target.name}"
