"""One run of the benchmarks: how much to measure, where to put what is needed, and fresh processes to measure in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from types import FrameType
from typing import Any, Final, TypeVar

from tl_core.storage.workspace import Workspace, new_id

Measured = dict[str, Any]
"""What a contender reports, in plain values."""

Contender = Callable[..., Measured]
"""A function of a module; its arguments are plain values, because it runs in a process of its own."""

PAIRS: Final = 5  # rounds in which every contender of a benchmark runs once
REPOSITORY: Final = Path(__file__).resolve().parents[1]

_QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
_LAST_WORDS: Final = 2000  # characters of a failed process's output that are shown

T = TypeVar("T")


class BenchmarkError(Exception):
    """A contender could not be measured; the message is a sentence, then what the process said last."""


@dataclass(slots=True)
class Session:
    """What a benchmark measures with."""

    folder: Path  # scratch, removed by whoever made it
    pairs: int = PAIRS
    quick: bool = False  # a smoke test: tiny sizes, contenders in this process, figures that mean nothing
    program: str = ""  # the benchmark at work, for progress
    _round: str = field(default="", init=False)

    def pick(self, full: T, quick: T) -> T:
        """The size for this session."""
        return quick if self.quick else full

    @property
    def store(self) -> Path:
        """The folder of the synthetic datasets, made once for all benchmarks of the session."""
        return self.folder / "store"

    def workspace(self) -> Workspace:
        """A new workspace without datasets, runs or caches."""
        return Workspace(self.folder / new_id(self.program)).ensure()

    def tidy(self) -> None:
        """Remove what a benchmark left: gigabytes of caches. The datasets stay for the next."""
        for path in self.folder.iterdir():
            if path.is_dir() and path != self.store:
                shutil.rmtree(path)

    def rounds(self) -> Iterator[int]:
        """Numbers of the rounds, from 0, told on the way."""
        for number in range(self.pairs):
            self._round = f"round {number + 1} of {self.pairs}"
            yield number
        self._round = ""

    def say(self, text: str) -> None:
        """Tell the person who waits."""
        place = ", ".join(part for part in (self.program, self._round) if part)
        print(f"{time.strftime('%H:%M:%S')}  {place}: {text}", file=sys.stderr, flush=True)

    def measure(self, contender: Contender, **arguments: Any) -> Measured:
        """Run a contender in a fresh process (in this one for a smoke test) and return what it reports.

        Every contender may use all cores that this process may use.

        Raises:
            BenchmarkError: the process failed.
        """
        plain = json.dumps(arguments, default=str)
        began = time.monotonic()
        measured = contender(**json.loads(plain)) if self.quick else _in_fresh_process(contender, plain)
        self.say(f"{contender.__name__} took {time.monotonic() - began:.1f} s in all")
        return measured


def _in_fresh_process(contender: Contender, arguments: str) -> Measured:
    command = [
        sys.executable, "-m", "benchmarks.contender", contender.__module__, contender.__qualname__, arguments
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env={**os.environ, **_QUIET}, stdout=PIPE, stderr=PIPE, text=True
    )
    try:
        output, errors = process.communicate()
    finally:
        if process.poll() is None:  # interrupted: let the contender end what it has started
            process.terminate()
            process.wait()
    if process.returncode:
        raise BenchmarkError(
            f"{contender.__name__} failed with exit code {process.returncode}:\n{errors[-_LAST_WORDS:]}"
        )
    measured: Measured = json.loads(output.splitlines()[-1])
    return measured


def end_on_sigterm() -> None:
    """Leave every ``with`` and ``finally`` block when this process is asked to end."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
