"""Learning rates on a logarithmic scale."""

from __future__ import annotations

from typing import Final

from tl_core.config.training import LEARNING_RATE_RANGE

STEPS: Final = (1, 2, 5)  # of each power of ten: even distances on a log scale


def rate_options(*current: float) -> list[float]:
    """Rates from the smallest to the largest allowed, three per power of ten, and the ``current`` ones."""
    low, high = LEARNING_RATE_RANGE
    grid = (float(f"{step}e{power}") for power in range(-7, 1) for step in STEPS)
    return sorted({rate for rate in grid if low <= rate <= high} | set(current))


def compare_rates(rate: float, reference: float) -> str:
    """A fine-tuning rate compared with the head's rate, as text."""
    if rate == reference:
        return "the same as"
    ratio = max(rate, reference) / min(rate, reference)
    times = f"{ratio:.1f}".rstrip("0").rstrip(".") if ratio < 10 else f"{ratio:,.0f}"
    return f"{times} times {'smaller' if rate < reference else 'larger'} than"
