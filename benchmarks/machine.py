"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from typing import Final

from tl_core.machine.hardware import detect_hardware

_PACKAGES: Final = ("tensorflow", "keras", "openvino", "numpy", "pillow", "streamlit")
BFLOAT16: Final = frozenset({"AMX bfloat16", "AVX-512 bfloat16"})
NO_BFLOAT16: Final = "not available on this CPU (it has neither AMX nor AVX-512 bfloat16)"


def describe_machine() -> str:
    """Processor, memory, system and versions in one line."""
    hardware = detect_hardware()
    installed = {entry.metadata["Name"]: entry.version for entry in metadata.distributions()}
    versions = ", ".join(f"{name} {installed[name]}" for name in _PACKAGES if name in installed)
    memory = hardware.memory_bytes / 2**30
    return (
        f"{hardware.summary}; {memory:.0f} GiB memory; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}; {versions}"
    )


def has_bfloat16() -> bool:
    """Whether the CPU computes in bfloat16."""
    return not BFLOAT16.isdisjoint(detect_hardware().instruction_sets)


def today() -> str:
    """Date and time, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def busy() -> float | None:
    """Other work on the machine: processes that want a core, averaged over the last minute; None if unknown."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
