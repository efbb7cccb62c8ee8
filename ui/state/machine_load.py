"""How busy the machine is, asked at most once a second however many browsers watch."""

from __future__ import annotations

import threading
import time
from typing import Final

from tl_core.machine.hardware import Load, current_load

KEPT_SECONDS: Final = 0.9

_lock = threading.Lock()
_last: tuple[float, Load] | None = None


def machine_load() -> Load:
    """The machine's load at this moment, at most a second old."""
    global _last
    with _lock:
        now = time.monotonic()
        if _last is None or now - _last[0] > KEPT_SECONDS:
            _last = (now, current_load())
        return _last[1]


def describe_load(load: Load) -> str:
    """One line, such as ``CPU 84 % · memory 6.1 of 16.0 GB``."""
    used, total = load.memory_used_bytes / 1e9, load.memory_total_bytes / 1e9
    parts = [f"CPU {load.cpu_percent:.0f} %", f"memory {used:.1f} of {total:.1f} GB"]
    if load.gpu_percent is not None:
        memory = f", {load.gpu_memory_used_mb / 1024:.1f} GB used" if load.gpu_memory_used_mb is not None else ""
        parts.append(f"GPU {load.gpu_percent:.0f} %{memory}")
    return " · ".join(parts)
