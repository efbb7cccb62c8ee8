"""Numbers, sizes and times as text, with sensible digits and units: the one place that decides how they look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

MISSING: Final = "–"

_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALLEST_DECIMAL: Final = 1e-4  # below this, counting zeros is harder than reading a power of ten ...
_LARGEST_WHOLE: Final = 1e6  # ... and from this on, counting digits


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0-1 as ``97.2 %``."""
    return MISSING if share is None else f"{share * 100:.{digits}f} %"


def number(value: float | None, digits: int = 3) -> str:
    """A number with a few significant digits: ``0.0873``, ``1,240``, ``1.2 × 10⁻⁵``; never ``1.24e+03``."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    return f"{value:,.0f}" if 1 <= abs(value) < _LARGEST_WHOLE else _power_of_ten(float(text))


def scientific(value: float) -> str:
    """A learning rate or another small number: ``0.001``, or ``2 × 10⁻⁵`` where decimals would be a row of zeros."""
    if value == 0 or value >= _SMALLEST_DECIMAL:
        return f"{value:.10f}".rstrip("0").rstrip(".") or "0"
    return _power_of_ten(value)


def _power_of_ten(value: float) -> str:
    factor, power = f"{value:.3e}".split("e")
    factor = factor.rstrip("0").rstrip(".")
    ten = f"10{str(int(power)).translate(_SUPERSCRIPTS)}"
    return ten if factor == "1" else f"{factor} × {ten}"


def count(amount: int, thing: str, plural: str | None = None) -> str:
    """``1 image``, ``1,258 images``."""
    return f"{amount:,} {thing if amount == 1 else plural or thing + 's'}"


def large_count(amount: int) -> str:
    """A count within a sentence: ``12,810``, ``3.4 million``."""
    return f"{amount / 1e6:,.1f} million" if amount >= 1_000_000 else f"{amount:,}"


def short_count(amount: int) -> str:
    """A count where there is little room: ``1,234``, ``83.5 k``, ``14.7 M``."""
    if amount < 10_000:
        return f"{amount:,}"
    value, unit = (amount / 1e3, "k") if amount < 999_500 else (amount / 1e6, "M")
    return f"{value:.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def size(amount: float, digits: int = 0) -> str:
    """Bytes as ``340 MB`` or ``2.1 GB``; with ``digits=1`` as ``4.1 MB``, or ``12 KB`` where that would be none."""
    if amount >= 1e9:
        return f"{amount / 1e9:.1f} GB"
    if digits and amount < 1e5:
        return f"{amount / 1e3:.0f} KB"
    return f"{amount / 1e6:.{digits}f} MB"


def duration(seconds: float | None) -> str:
    """A measured time: ``42 s``, ``3 min 20 s``, ``1 h 05 min``."""
    if seconds is None:
        return MISSING
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def rough_duration(seconds: float) -> str:
    """An estimated time: ``about 40 seconds``, ``about 3 minutes``."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds / 5) * 5} seconds"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"about {count(minutes, 'minute')}"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"about {count(hours, 'hour')}" + (f" {rest} minutes" if rest else "")


def short_duration(seconds: float) -> str:
    """An estimated time where there is little room: ``40 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 55:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"{hours} h" + (f" {rest} min" if rest else "")


def seconds_between(begin: str | None, end: str | None) -> float | None:
    """Seconds from one ISO 8601 moment to another; None where one is missing."""
    if begin is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def moment(iso: str, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 moment was: ``just now``, ``5 min ago``, ``3 h ago``, then its date (UTC)."""
    then = datetime.fromisoformat(iso)
    minutes = ((now or datetime.now(UTC)) - then).total_seconds() / 60
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes:.0f} min ago"
    if minutes < 24 * 60:
        return f"{minutes / 60:.0f} h ago"
    return then.strftime("%d %b %Y")
