"""Learning rates as people read them."""

from __future__ import annotations

from typing import Final

_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALLEST_DECIMAL: Final = 1e-4  # below this, counting zeros is harder than reading a power of ten


def format_rate(rate: float) -> str:
    """A rate for the eye: ``0.001``, or ``2 × 10⁻⁵`` where decimals would be a row of zeros."""
    if rate == 0 or rate >= _SMALLEST_DECIMAL:
        return f"{rate:.10f}".rstrip("0").rstrip(".") or "0"
    factor, power = f"{rate:.3e}".split("e")
    factor = factor.rstrip("0").rstrip(".")
    ten = f"10{str(int(power)).translate(_SUPERSCRIPTS)}"
    return ten if factor == "1" else f"{factor} × {ten}"
