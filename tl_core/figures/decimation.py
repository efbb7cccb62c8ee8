"""Drawing long series with few points, without losing what a person would look for in them."""

from __future__ import annotations

from collections.abc import Sequence

Number = float | None


def decimate(values: Sequence[Number], limit: int) -> list[int]:
    """Choose at most ``limit`` places of a series, so that its line keeps its ends and all its spikes.

    The series is cut into equal stretches, and of each the lowest and the highest value stay (the min-max
    decimation of oscilloscopes). A value that is missing stays only where its whole stretch is missing.

    Args:
        values: the series; None where there is no value.
        limit: at least 4.

    Returns:
        Increasing places in ``values``; all of them if there are no more than ``limit``.
    """
    if limit < 4:
        raise ValueError(f"limit must be at least 4. Received: {limit}.")
    count = len(values)
    if count <= limit:
        return list(range(count))
    stretches = (limit - 2) // 2
    kept = {0, count - 1}
    for stretch in range(stretches):
        begin, end = 1 + stretch * (count - 2) // stretches, 1 + (stretch + 1) * (count - 2) // stretches
        kept.update(_extremes(values, begin, end))
    return sorted(kept)


def _extremes(values: Sequence[Number], begin: int, end: int) -> tuple[int, ...]:
    present = [(value, place) for place in range(begin, end) if (value := values[place]) is not None]
    if not present:
        return (begin,) if begin < end else ()
    return min(present)[1], max(present)[1]
