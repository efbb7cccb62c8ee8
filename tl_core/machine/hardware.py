"""The hardware of this machine and its load, found without importing TensorFlow."""

from __future__ import annotations

import functools
import logging
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

logger = logging.getLogger(__name__)

# Kernel flag -> well-known name, for the instruction sets that make a difference in training.
FAST_INSTRUCTION_SETS: Final = {
    "amx_bf16": "AMX bfloat16",
    "avx512_bf16": "AVX-512 bfloat16",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
    "asimd": "NEON",
}
_NVIDIA_SMI_SECONDS: Final = 5.0
QUIET: Final = 0.2  # of this process' cores: where others use less, they hardly slow what is measured here


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU as its driver describes it."""

    name: str
    memory_mb: int  # total, MiB


@dataclass(frozen=True, slots=True)
class Hardware:
    """What does not change while the program runs."""

    cpu: str
    cores: int  # that this process may use
    memory_bytes: int
    instruction_sets: tuple[str, ...]  # names from `FAST_INSTRUCTION_SETS`
    gpus: tuple[Gpu, ...]

    @property
    def summary(self) -> str:
        """One line for a person: the GPU where there is one, else the CPU with its fast instruction sets."""
        if self.gpus:
            return ", ".join(f"GPU {gpu.name} ({gpu.memory_mb / 1024:.0f} GB)" for gpu in self.gpus)
        fast = f" with {', '.join(self.instruction_sets)}" if self.instruction_sets else ""
        return f"{self.cpu}, {self.cores} core{'s' * (self.cores != 1)}{fast}"


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine is at one moment."""

    cpu_percent: float  # of all cores, 0-100
    memory_used_bytes: int
    memory_total_bytes: int
    gpu_percent: float | None  # 0-100 of one GPU, None without one
    gpu_memory_used_mb: int | None


@functools.cache
def detect_hardware() -> Hardware:
    """The hardware of this machine; found once, cached for the life of the process."""
    flags = _cpu_flags()
    return Hardware(
        cpu=_cpu_name(),
        cores=_usable_cores(),
        memory_bytes=psutil.virtual_memory().total,
        instruction_sets=tuple(name for flag, name in FAST_INSTRUCTION_SETS.items() if flag in flags),
        gpus=tuple(
            Gpu(name, int(memory)) for name, memory in _ask_nvidia_smi("name", "memory.total") if memory.isdigit()
        ),
    )


def current_load(gpu: int = 0) -> Load:
    """How busy the machine is now, and one of its GPUs; the CPU figure covers the time since the last call."""
    memory = psutil.virtual_memory()
    rows = _ask_nvidia_smi("utilization.gpu", "memory.used") if detect_hardware().gpus else []
    busy, used = rows[gpu] if gpu < len(rows) else ("", "")
    return Load(
        cpu_percent=psutil.cpu_percent(),
        memory_used_bytes=memory.total - memory.available,
        memory_total_bytes=memory.total,
        gpu_percent=float(busy) if busy.isdigit() else None,
        gpu_memory_used_mb=int(used) if used.isdigit() else None,
    )


def _usable_cores() -> int:
    try:
        return len(psutil.Process().cpu_affinity())
    except AttributeError:  # macOS has no affinity
        return psutil.cpu_count() or 1


def _cpu_name() -> str:
    for line in _cpu_info().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "CPU"


def _cpu_flags() -> frozenset[str]:
    for line in _cpu_info().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def _cpu_info() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return ""


def _ask_nvidia_smi(*fields: str) -> list[list[str]]:
    """One row per GPU with the values of the given query fields; no row where there is no NVIDIA driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_NVIDIA_SMI_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("The GPU driver did not answer: %s", error)
        return []
    return [[cell.strip() for cell in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]


class OtherWork:
    """How busy other processes keep the machine, from the moment this is made."""

    def __init__(self) -> None:
        self._began, self._own, self._busy = time.monotonic(), time.process_time(), _busy_seconds()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._began

    def share(self) -> float:
        """What others have used since of the cores that this process may use, 0-1."""
        busy, own = _busy_seconds() - self._busy, time.process_time() - self._own
        return min(1.0, max(0.0, (busy - own) / max(1e-3, self.seconds) / len(_own_cores())))


def _own_cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _busy_seconds() -> float:
    """Seconds that the cores of this process have worked for anybody, since the machine was started."""
    times = psutil.cpu_times(percpu=True)
    kinds = ("user", "system", "nice", "steal")
    return float(sum(getattr(times[core], kind, 0.0) for core in _own_cores() if core < len(times) for kind in kinds))
