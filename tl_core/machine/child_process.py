"""Python in a child process: on the CPU only unless it trains, and always ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

GRACE_SECONDS: Final = 5.0  # between the request to end and the kill

_OURS: Final = Path(__file__).parents[2]
# The GPU, if there is one, is for the training that may be running.
_ON_THE_CPU: Final = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}


def start_python(
    words: Sequence[str], environment: Mapping[str, str], *, on_cpu: bool = True, **pipes: Any
) -> subprocess.Popen[bytes]:
    """Start the interpreter of this process once more.

    Args:
        words: its arguments.
        environment: all variables that the process gets, besides those that keep it on the CPU.
        on_cpu: whether the GPU, if there is one, is hidden from it.
        pipes: what `subprocess.Popen` takes for standard input, output and error.
    """
    settings = {**environment, **_ON_THE_CPU} if on_cpu else environment
    return subprocess.Popen([sys.executable, *words], env=settings, **pipes)  # noqa: S603  # our own program, no shell


def end_process(process: subprocess.Popen[bytes], grace: float = GRACE_SECONDS) -> None:
    """Terminate a process, and kill it if it does not end; returns once it is gone."""
    if process.poll() is None and grace:
        process.terminate()
        wait_for(process, grace)
    if process.poll() is None:
        process.kill()
        process.wait()


def wait_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a process is gone, or until the timeout."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def with_our_code() -> str:
    """Where Python looks for modules (``PYTHONPATH``), wherever this process was started."""
    return os.pathsep.join([str(_OURS), *filter(None, [os.environ.get("PYTHONPATH")])])
