"""Accuracy and loss as Plotly traces and layout: the live chart of a run, and several runs over each other.

The traces carry only what the data decides. What the reader decides (smoothing, logarithmic loss) and what the
page decides (theme, width) is added in the browser by ``live_chart.js``, without a round trip.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tl_core.config.phases import PHASE_TITLES
from tl_core.figures.history import TABLE_COLUMNS, History, decimate
from tl_core.figures.layout import short_names
from tl_core.figures.palette import RUNS, TRAINING, VALIDATION, translucent

Progress = Literal["epoch", "time"]
"""What runs are held against: epochs, or seconds since each began to train."""

MAX_POINTS: Final = 2000  # drawn in all; longer series are decimated, never cut off
POINTS_PER_EPOCH_SERIES: Final = 300
MARKED_EPOCHS: Final = 24  # with more, their marks would hide which line is dashed
POINTS_OF_AN_EPOCH: Final = 4  # of batches; with fewer their line would not tell how the epoch went
BATCH_OPACITY: Final = 0.85  # seen on both grounds, and calmer than the line of the epochs
LEAST_POINTS: Final = 12  # of one line, however many runs are compared
NAME_LENGTH: Final = 32  # characters of a run's name in the legend
LABEL_ROOM: Final = 0.3  # of a plot's width that the name of a phase needs
HORIZONS: Final = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800, 1200, 2000)


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the two plots: a metric and the axes it is drawn on."""

    metric: str  # name in the events; its validation counterpart has the prefix val_
    title: str
    axis: str  # "" for x/y, "2" for x2/y2
    batch_place: int  # place of the metric in the batch points of `History`
    value_format: str  # d3 format of a value in the hover text


PANELS: Final = (
    Panel("accuracy", "Accuracy", "", 1, ".1%"),
    Panel("loss", "Loss", "2", 2, ".3~f"),
)


def curves_payload(history: History, *, revision: str, title: str = "") -> dict[str, Any]:
    """All that the live chart needs, as plain JSON values.

    Args:
        history: the run's curves so far.
        revision: names the chart; while it stays the same, the reader's zoom and hidden lines stay too.
        title: name of the run, used in the names of downloaded files.

    Returns:
        ``traces`` and ``layout`` for ``Plotly.react``, with at most `MAX_POINTS` points; ``columns`` and ``rows``,
        the table of all epochs for the CSV download; ``description``, the chart as text.
    """
    return {
        "revision": revision,
        "title": title,
        "traces": curve_traces(history),
        "layout": curve_layout(history),
        "columns": list(TABLE_COLUMNS),
        "rows": [[short_number(value) for value in row] for row in history.table()],
        "description": describe_curves(history),
    }


def curve_traces(history: History) -> list[dict[str, Any]]:
    """Eight traces, always the same in the same order: per panel batches, training, validation and best epoch."""
    epoch_points = min(len(history.epochs), POINTS_PER_EPOCH_SERIES)
    batch_points = (MAX_POINTS - 2 - 4 * epoch_points) // 2
    return [trace for panel in PANELS for trace in _panel_traces(history, panel, batch_points)]


def curve_layout(history: History) -> dict[str, Any]:
    """Axes, phase boundaries and what stands where nothing is drawn yet; without sizes and theme colours."""
    upper = _horizon(history)
    boundaries = [phase.first_epoch - 1 for phase in history.phases[1:]]
    axis = {
        "title": {"text": "Epoch"},
        # Not a fixed range: when one changes, Plotly drops the reader's zoom. Some room keeps the last mark whole.
        "autorange": True,
        "autorangeoptions": {"include": [0, upper], "clipmin": 0, "clipmax": upper * 1.03},
        "tickformat": "~g",
        "tick0": 0,
        **({"dtick": 1} if upper <= 12 else {"nticks": 9}),
    }
    return {
        **_axes(axis),
        "shapes": [_boundary(x, panel) for x in boundaries for panel in PANELS],
        "annotations": [_label(x, side, panel, upper) for x in boundaries for side in (0, 1) for panel in PANELS],
        "hovermode": "x unified",
    }


def describe_curves(history: History) -> str:
    """The chart as text, for screen readers."""
    if not history.epochs:
        return "Training curves: no epoch is finished yet, so there is nothing to see so far."
    first, last = next(iter(history.epochs)), next(reversed(history.epochs))
    span = f"epoch {last}" if first == last else f"epochs {first} to {last}"
    text = (
        f"Training curves over {span}: validation accuracy {_change(history.column('val_accuracy'), '.1%')}, "
        f"validation loss {_change(history.column('val_loss'), '.3g')}, "
        f"training accuracy {_change(history.column('accuracy'), '.1%')}."
    )
    if history.best_epoch is not None:
        text += f" The epoch that is kept so far is {history.best_epoch}."
    for phase in history.phases[1:]:
        text += f" From epoch {phase.first_epoch} on it is {PHASE_TITLES[phase.name]}."
    return text


def comparison_payload(
    runs: Sequence[tuple[str, History]], by: Progress, *, revision: str, colors: Sequence[str] = RUNS
) -> dict[str, Any]:
    """All that the chart of several runs needs, as `curves_payload`: one colour per run, training dashed.

    Args:
        runs: name and curves of each, in the order of their colours.
        by: what stands on the horizontal axis.
        revision: names the chart; while it stays the same, the reader's zoom and hidden lines stay too.
        colors: of the runs; after the last one they begin again.
    """
    limit = max(LEAST_POINTS, MAX_POINTS // max(1, 4 * len(runs)))
    reached = (history.epochs.get(history.best_epoch or 0, {}).get("val_accuracy") for _, history in runs)
    said = [
        f"{name} " + ("has no finished epoch yet" if best is None else f"reached {best:.1%} validation accuracy")
        for (name, _), best in zip(runs, reached, strict=True)
    ]
    title = {"text": "Epoch" if by == "epoch" else "Seconds since the first epoch began"}
    shown = short_names([name for name, _ in runs], NAME_LENGTH)
    return {
        "revision": revision,
        "title": "comparison",
        "traces": [
            trace
            for place, (_, history) in enumerate(runs)
            for panel in PANELS
            for trace in _compared_traces(history, panel, by, place, colors[place % len(colors)], shown[place], limit)
        ],
        "layout": {
            **_axes({"title": title, "rangemode": "tozero", "tickformat": "~g", "nticks": 9}),
            "shapes": [],
            "annotations": [],
            "hovermode": "x unified" if by == "epoch" else "closest",
            "legend": {"x": 0, "xanchor": "left", "y": -0.22, "yanchor": "top"},
        },
        "hover_title": "Epoch %{x}" if by == "epoch" else "%{x:.0f} s",
        "columns": ["run", *TABLE_COLUMNS],
        "rows": [[name, *map(short_number, row)] for name, history in runs for row in history.table()],
        "description": f"Curves of {len(runs)} runs: {'; '.join(said)}.",
    }


def _panel_traces(history: History, panel: Panel, batch_points: int) -> Iterator[dict[str, Any]]:
    epochs = list(history.epochs)
    mode = "lines+markers" if len(epochs) <= MARKED_EPOCHS else "lines"
    x, y = _batch_points(history, panel)
    yield {
        **_trace(panel, "batch", "Training, per batch"),
        **_points(x, y, batch_points),
        "line": {"color": translucent(TRAINING, BATCH_OPACITY), "width": 1},
        "mode": "lines",
        # Once there are epochs, the hover box shows epochs alone.
        **({"hoverinfo": "skip", "hovertemplate": None} if history.epochs else {}),
    }
    for role, prefix, name, color, width, dash in (
        ("training", "", "Training", TRAINING, 2, "dash"),
        ("validation", "val_", "Validation", VALIDATION, 2.5, "solid"),
    ):
        yield {
            **_trace(panel, role, name),
            **_points(epochs, history.column(prefix + panel.metric), POINTS_PER_EPOCH_SERIES),
            "line": {"color": color, "width": width, "dash": dash},
            "marker": {"color": color, "size": 5},
            "mode": mode,
        }
    kept = "Kept epoch" if history.best_epoch is None else f"Kept: epoch {history.best_epoch} (lowest loss)"
    yield {**_trace(panel, "best", kept), **_best(history, panel)}


def _batch_points(history: History, panel: Panel) -> tuple[list[float], list[float | None]]:
    """The batches of the epochs that have enough of them, with a gap where others lie between.

    An epoch on cached features may take a hundredth of a second, and only a few batches of a second are written down:
    a line through one point of every seventh epoch would contradict the means of the epochs beside it.
    """
    epoch_of = [math.ceil(point[0]) for point in history.batches]
    written = Counter(epoch_of)
    xs: list[float] = []
    ys: list[float | None] = []
    gap = False
    for number, point in zip(epoch_of, history.batches, strict=True):
        if written[number] < POINTS_OF_AN_EPOCH and number in history.epochs:
            gap = bool(xs)
            continue
        if gap:
            xs.append(number - 1)
            ys.append(None)
            gap = False
        xs.append(point[0])
        ys.append(point[panel.batch_place])
    return xs, ys


def _compared_traces(
    history: History, panel: Panel, by: Progress, place: int, color: str, name: str, limit: int
) -> Iterator[dict[str, Any]]:
    x: list[float] = list(history.epochs)
    if by == "time" and x:
        ends = history.column("t")
        began = ends[0] - (history.column("seconds")[0] or 0.0)
        x = [round(end - began, 2) for end in ends]
    for role, prefix, dash, width in (("training", "", "dash", 1.5), ("validation", "val_", "solid", 2.5)):
        validation = role == "validation"
        trace = _trace(panel, role, name if validation else f"{name}, training")
        yield {
            **trace,
            **_points(x, history.column(prefix + panel.metric), limit),
            "uid": f"{place}-{trace['uid']}",
            "legendgroup": str(place),
            "showlegend": validation and trace["showlegend"],
            "line": {"color": color, "width": width, "dash": dash},
            "marker": {"color": color, "size": 4},
            "mode": "lines+markers" if validation and 0 < len(x) <= MARKED_EPOCHS else "lines",
        }


def _trace(panel: Panel, role: str, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "uid": f"{panel.metric}-{role}",
        "name": name,
        "legendgroup": role,
        "showlegend": panel is PANELS[0],
        "xaxis": f"x{panel.axis}",
        "yaxis": f"y{panel.axis}",
        "meta": {"role": role},
        "hovertemplate": f"%{{y:{panel.value_format}}}",
    }


def _best(history: History, panel: Panel) -> dict[str, Any]:
    best = history.best_epoch
    value = history.epochs[best].get(f"val_{panel.metric}") if best in history.epochs else None
    return {
        "x": [] if value is None else [best],
        "y": [] if value is None else [short_number(value)],
        "mode": "markers",
        "marker": {"symbol": "star", "size": 15, "color": VALIDATION, "line": {"width": 1.5}},
    }


def _points(x: Sequence[float], y: Sequence[float | None], limit: int) -> dict[str, Any]:
    places = decimate(y, limit)
    return {"x": [short_number(x[place]) for place in places], "y": [short_number(y[place]) for place in places]}


def _axes(x: dict[str, Any]) -> dict[str, Any]:
    return {
        "xaxis": {**x, "anchor": "y"},
        "yaxis": {"title": {"text": "Accuracy"}, "tickformat": ",.1~%", "anchor": "x"},
        "xaxis2": {**x, "anchor": "y2"},
        "yaxis2": {"title": {"text": "Loss"}, "tickformat": "~g", "anchor": "x2"},
    }


def _horizon(history: History) -> int:
    """The last epoch shown: it moves in steps, so that the axis stands still while the curves grow."""
    position = max(1.0, history.position)
    if history.finished:
        return max(1, next(reversed(history.epochs), 1))
    step = next((horizon for horizon in HORIZONS if horizon >= position), HORIZONS[-1])
    planned = history.planned
    return min(step, planned) if planned >= position else step


def _boundary(x: int, panel: Panel) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": f"x{panel.axis}",
        "yref": f"y{panel.axis} domain",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "line": {"width": 1.5, "dash": "dot"},
    }


def _label(x: int, side: int, panel: Panel, upper: int) -> dict[str, Any]:
    """The name of the phase before (side 0) or after (side 1) a boundary; above the line where room is short."""
    room = (x, upper - x)[side] / upper
    label = {
        "xref": f"x{panel.axis}",
        "yref": f"y{panel.axis} domain",
        "x": x,
        "y": 1,
        "xanchor": ("right", "left")[side],
        "yanchor": "bottom",
        "text": f" {tuple(PHASE_TITLES.values())[side]} ",
        "showarrow": False,
    }
    if room < LABEL_ROOM:
        end = {"xref": f"x{panel.axis} domain", "x": side, "xanchor": ("left", "right")[side], "yshift": 14}
        return {**label, **end}
    return label


def _change(values: Sequence[float | None], form: str) -> str:
    present = [value for value in values if value is not None]
    if not present:
        return "is not known"
    first, last = format(present[0], form), format(present[-1], form)
    if first == last:
        return f"stands at {last}"
    return f"{'rose' if present[-1] > present[0] else 'fell'} from {first} to {last}"


def short_number(value: Any) -> Any:
    """Five significant digits: more are not visible, and would double what is sent every second."""
    return float(f"{value:.5g}") if isinstance(value, float) else value
