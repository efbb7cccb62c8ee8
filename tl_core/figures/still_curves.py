"""The curves of a run as one picture without a program behind it, for documents that leave the dashboard."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeGuard

from tl_core.figures.history import History, decimate
from tl_core.figures.palette import TRAINING, VALIDATION

WIDTH: Final = 760  # px, both panels together
HEIGHT: Final = 260
MAX_POINTS: Final = 300  # per curve
_LEFT: Final = 48  # px of a panel, for the numbers of its axis
_TOP: Final = 34
_BOTTOM: Final = 36
_PANEL: Final = WIDTH // 2
_INK: Final = "#444"
_GRID: Final = "#ddd"
Scale = Callable[[float], float]

_CURVES: Final = (("", TRAINING, "6 4", "training"), ("val_", VALIDATION, "none", "validation"))


def still_curves(history: History) -> str:
    """Accuracy and loss per epoch beside each other, training dashed, validation solid, the saved epoch as a dot.

    Returns:
        SVG on a white ground, `WIDTH` x `HEIGHT` px; numbers that are not finite are left out.
    """
    panels = [*_panel(history, "accuracy", "Accuracy", 0), *_panel(history, "loss", "Loss", _PANEL)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="11" role="img">'
    )
    title = "<title>Accuracy and loss per epoch: training dashed, validation solid</title>"
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    return "\n".join([head, title, ground, *panels, "</svg>", ""])


def _panel(history: History, measure: str, title: str, left: int) -> Iterator[str]:
    curves = [history.column(prefix + measure) for prefix, *_ in _CURVES]
    numbers = [value for curve in curves for value in curve if _drawable(value)]
    low, high = _limits(numbers, percent=measure == "accuracy")
    last = max(history.epochs, default=1)
    right = left + _PANEL - 16

    def x(epoch: float) -> float:
        return left + _LEFT + (epoch - 1) / max(1, last - 1) * (right - left - _LEFT)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    yield f'<text x="{left + _LEFT}" y="18" fill="{_INK}" font-size="13">{title}</text>'
    for part in range(5):
        value = low + part / 4 * (high - low)
        words = f"{value:.0%}" if measure == "accuracy" else f"{value:.3g}"
        yield f'<line x1="{left + _LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{_GRID}"/>'
        yield f'<text x="{left + _LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end" fill="{_INK}">{words}</text>'
    for epoch in sorted({1, (1 + last) // 2, last}):
        yield f'<text x="{x(epoch):.1f}" y="{HEIGHT - 18}" text-anchor="middle" fill="{_INK}">{epoch}</text>'
    for place, ((_, color, dashes, name), curve) in enumerate(zip(_CURVES, curves, strict=True)):
        yield from _line(list(history.epochs), curve, x, y, f'stroke="{color}" stroke-dasharray="{dashes}"')
        yield f'<text x="{right - 70 * (1 - place)}" y="18" text-anchor="end" fill="{color}">{name}</text>'
    kept = history.epochs.get(history.best_epoch or 0, {}).get(f"val_{measure}")
    if history.best_epoch and _drawable(kept):
        yield f'<circle cx="{x(history.best_epoch):.1f}" cy="{y(kept):.1f}" r="4" fill="{VALIDATION}"/>'


def _line(epochs: Sequence[int], curve: Sequence[float | None], x: Scale, y: Scale, style: str) -> Iterator[str]:
    known = [(epoch, value) for epoch, value in zip(epochs, curve, strict=True) if _drawable(value)]
    shown = [known[place] for place in decimate([value for _, value in known], MAX_POINTS)]
    points = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in shown)
    if points:
        yield f'<polyline points="{points}" fill="none" stroke-width="2" {style}/>'


def _drawable(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _limits(values: Sequence[float], *, percent: bool) -> tuple[float, float]:
    """What the axis spans: all values, some room for a flat line, and never beyond 100 % or below 0."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max((high - low) * 0.05, 0.01 if percent else 1e-6)
    return max(0.0, low - room), min(1.0, high + room) if percent else high + room
