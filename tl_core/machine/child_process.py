"""Python in a child process: on the CPU only unless it trains, and always ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
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


def start_module(
    module: str, *words: str, variables: Mapping[str, str] | None = None, **pipes: Any
) -> subprocess.Popen[bytes]:
    """Start a module of ours, wherever this process was started; it may use the GPU.

    Args:
        module: its name.
        words: its arguments.
        variables: of its environment, besides those of this process.
        pipes: as for `start_python`.
    """
    ours = {"PYTHONPATH": with_our_code(), **(variables or {})}
    return start_python(["-m", module, *words], {**os.environ, **ours}, on_cpu=False, **pipes)


class JsonProcess:
    """A module of ours in a process that reads requests and writes answers, one JSON object per line.

    Args:
        module: its name.
        words: its arguments.
        variables: of its environment, besides those of this process.
    """

    def __init__(self, module: str, *words: str, variables: Mapping[str, str] | None = None) -> None:
        self._writing = threading.Lock()
        self._process = start_module(
            module, *words, variables=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    @property
    def alive(self) -> bool:
        """Whether it can take a request."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None as long as it works."""
        return self._process.returncode

    def send(self, **request: Any) -> None:
        """Send a request; a process that is gone does not get it, and its `answers` end."""
        assert self._process.stdin is not None  # noqa: S101  # it is a pipe
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def answers(self) -> Iterator[dict[str, Any]]:
        """Its answers as they come, for one thread at a time; once they end, the process is gone."""
        assert self._process.stdout is not None  # noqa: S101  # it is a pipe
        for line in self._process.stdout:
            yield json.loads(line)
        end_process(self._process)

    def kill(self) -> None:
        """End it now; returns at once, and its `answers` end."""
        self._process.kill()

    def close(self) -> None:
        """End it and wait until it is gone."""
        end_process(self._process, grace=0)


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
