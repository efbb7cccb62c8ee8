"""Numbers and moments in words, with sensible digits and units."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

MISSING: Final = "–"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0-1 as ``97.2 %``."""
    return MISSING if share is None else f"{share * 100:.{digits}f} %"


def number(value: float | None, digits: int = 3) -> str:
    """A number with a few significant digits, such as ``0.0873``."""
    return MISSING if value is None else f"{value:.{digits}g}"


def count(amount: int, thing: str, plural: str | None = None) -> str:
    """``1 image``, ``1,258 images``."""
    return f"{amount:,} {thing if amount == 1 else plural or thing + 's'}"


def duration(seconds: float | None) -> str:
    """``42 s``, ``3 min 20 s``, ``1 h 05 min``."""
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


def megabytes(size: int) -> str:
    """Bytes as ``4.1 MB``."""
    return f"{size / 1e6:.1f} MB"


def size(amount: int) -> str:
    """Bytes as ``0 MB``, ``340 MB`` or ``2.1 GB``."""
    return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"


def plain(text: str) -> str:
    """Text from outside (a class, a file, a name), so that Markdown shows it as it is."""
    return "".join(f"\\{char}" if char in _MARKDOWN else char for char in text)


_MARKDOWN: Final = frozenset("\\`*_{}[]()<>#+-.!|~:$")
