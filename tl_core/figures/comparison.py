"""Several runs in one chart: accuracy and loss, training dashed and validation solid, one colour per run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tl_core.figures.curves import MARKED_EPOCHS, MAX_POINTS, PANELS, Panel, short_number
from tl_core.figures.history import TABLE_COLUMNS, History, decimate
from tl_core.figures.layout import shorten
from tl_core.figures.palette import RUNS

Progress = Literal["epoch", "time"]
"""What the runs are held against: epochs, or seconds since each began to train."""

LEAST_POINTS: Final = 12  # of one line, however many runs there are
NAME_LENGTH: Final = 32  # characters of a run's name in the legend
SERIES: Final = (("training", "", "dash", 1.5), ("validation", "val_", "solid", 2.5))  # role, prefix, dash, width


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run of the chart."""

    name: str
    history: History


def comparison_payload(runs: Sequence[ComparedRun], by: Progress, *, revision: str) -> dict[str, Any]:
    """All that the chart needs, as plain JSON values, like `tl_core.figures.curves.curves_payload`.

    Args:
        runs: in the order of their colours.
        by: what stands on the horizontal axis.
        revision: names the chart; while it stays the same, the reader's zoom and hidden lines stay too.
    """
    limit = max(LEAST_POINTS, MAX_POINTS // max(1, 4 * len(runs)))
    traces = [
        trace for place, run in enumerate(runs) for panel in PANELS for trace in _traces(run, place, panel, by, limit)
    ]
    return {
        "revision": revision,
        "title": "comparison",
        "traces": traces,
        "layout": _layout(by),
        "hover_title": "Epoch %{x}" if by == "epoch" else "%{x:.0f} s",
        "columns": ["run", *TABLE_COLUMNS],
        "rows": [[run.name, *map(short_number, row)] for run in runs for row in run.history.table()],
        "description": describe_comparison(runs),
    }


def describe_comparison(runs: Sequence[ComparedRun]) -> str:
    """The chart as text, for screen readers."""
    said = []
    for run in runs:
        best = run.history.epochs.get(run.history.best_epoch or 0, {}).get("val_accuracy")
        reached = "has no finished epoch yet" if best is None else f"reached {best:.1%} validation accuracy"
        said.append(f"{run.name} {reached}")
    return f"Curves of {len(runs)} runs: {'; '.join(said)}."


def _traces(run: ComparedRun, place: int, panel: Panel, by: Progress, limit: int) -> Iterator[dict[str, Any]]:
    color = RUNS[place % len(RUNS)]
    x, name = _x(run.history, by), shorten(run.name, NAME_LENGTH)
    for role, prefix, dash, width in SERIES:
        y = run.history.column(prefix + panel.metric)
        places = decimate(y, limit)
        yield {
            "type": "scatter",
            "uid": f"{place}-{panel.metric}-{role}",
            "name": name if role == "validation" else f"{name}, training",
            "legendgroup": str(place),
            "showlegend": role == "validation" and panel is PANELS[0],
            "xaxis": f"x{panel.axis}",
            "yaxis": f"y{panel.axis}",
            "meta": {"role": role},
            "hovertemplate": f"%{{y:{panel.value_format}}}",
            "x": [x[point] for point in places],
            "y": [short_number(y[point]) for point in places],
            "line": {"color": color, "width": width, "dash": dash},
            "marker": {"color": color, "size": 4},
            "mode": "lines+markers" if 0 < len(x) <= MARKED_EPOCHS and role == "validation" else "lines",
        }


def _x(history: History, by: Progress) -> list[float]:
    if by == "epoch":
        return [float(number) for number in history.epochs]
    ends = history.column("t")
    if not ends:
        return []
    began = ends[0] - (history.column("seconds")[0] or 0.0)
    return [round(end - began, 2) for end in ends]


def _layout(by: Progress) -> dict[str, Any]:
    title = {"text": "Epoch" if by == "epoch" else "Seconds since the first epoch began"}
    axis = {"title": title, "rangemode": "tozero", "tickformat": "~g", "nticks": 9}
    return {
        "xaxis": {**axis, "anchor": "y"},
        "yaxis": {"title": {"text": "Accuracy"}, "tickformat": ",.1~%", "anchor": "x"},
        "xaxis2": {**axis, "anchor": "y2"},
        "yaxis2": {"title": {"text": "Loss"}, "tickformat": "~g", "anchor": "x2"},
        "shapes": [],
        "annotations": [],
        "hovermode": "x unified" if by == "epoch" else "closest",
        "legend": {"x": 0, "xanchor": "left", "y": -0.22, "yanchor": "top"},
    }
