"""The live chart: one chart of a run's curves that grows without flashing and keeps the reader's zoom.

``st.plotly_chart`` is mounted anew whenever its data changes. This component owns one ``<div>`` and hands every
update to ``Plotly.react`` with a fixed ``uirevision``, so the same node stays, with its zoom, its hidden lines and
its smoothing. What it draws comes from `tl_core.figures.curves`; what only the browser knows (theme, width,
smoothing, logarithmic scale, downloads) is in ``live_chart.js`` and never runs the page again.
"""

from ui.components.live_chart.component import comparison_chart, live_chart

__all__ = ["comparison_chart", "live_chart"]
