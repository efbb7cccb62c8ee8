"""The process in which a model from a file is open: one at a time, ended when idle, asked in turn.

The server never opens such a file in Keras. It sends pixels to the process, takes numbers back, believes neither
their size nor their form, and ends the process when it takes too long, takes too much, or is no longer needed.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil

from tl_core.brought.frames import Frame, read_frame, write_frame
from tl_core.brought.limits import LIMITS
from tl_core.brought.store import BroughtModel
from tl_core.child_process import end_process, start_python, with_our_code
from tl_core.data.progress import ShouldStop, never
from tl_core.errors import ModelFileError, StoppedError

logger = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]
Report = Callable[[float, str], None]  # how much is done, 0-1, and what goes on, in words

PROGRAM: Final = "tl_core.brought.child"
IDLE_SECONDS: Final = 120.0  # without a question, after which the process is ended
AT_ONCE: Final = 8  # images; what lies between the layers of a large network takes 100 MB each

_INTERVAL: Final = 0.1  # seconds between two looks at the clock, the memory and `should_stop`
_LIBRARIES: Final = 1_500_000_000  # bytes that TensorFlow may take by itself
_LOG_END: Final = 4000  # characters of what an ended process said that go to the log
_STEPS: Final = 4.0  # that the process reports until it is ready

# All that Python and TensorFlow want to know; no key, token or password of the server goes along.
_VARIABLES: Final = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMPDIR",
    "VIRTUAL_ENV",
)


def nobody(done: float, text: str) -> None:
    """Report to nobody."""


def keep_open(model: BroughtModel, report: Report = nobody, should_stop: ShouldStop = never) -> None:
    """Open a model from a file in its process, unless it is open already.

    Args:
        model: from `tl_core.brought.store`.
        report: told what goes on.
        should_stop: asked several times a second.

    Raises:
        ModelFileError: the process refuses the model, or could not open it within its time and memory.
        StoppedError: ``should_stop`` said so.
    """
    with _kept.turn(should_stop):
        _kept.opened(model, report, should_stop)


def ask(model: BroughtModel, images: Images) -> Array:
    """What the model says; its process is started again where it has ended.

    Args:
        model: from `tl_core.brought.store`.
        images: ``(n, s, s, 3)``, at least one.

    Returns:
        ``(n, outputs)``, finite.

    Raises:
        ModelFileError: it cannot be opened, or gave no proper answer within its time and memory.
    """
    parts = []
    for start in range(0, len(images), AT_ONCE):
        with _kept.turn(never):
            process = _kept.opened(model, nobody, never)
            parts.append(process.ask(images[start : start + AT_ONCE]))
    return np.concatenate(parts)


def is_open(model: BroughtModel) -> bool:
    """Whether the model answers at once."""
    return _kept.has(model)


def end_if_open(model: BroughtModel) -> None:
    """End the process of this model at once, also while it is asked."""
    if _kept.has(model):
        _kept.end()


def close_brought() -> None:
    """End the process, if there is one."""
    with _kept.turn(never):
        _kept.close()


class BroughtProcess:
    """One process with one model; used by one thread at a time."""

    def __init__(self, model: BroughtModel) -> None:
        self.model = model
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process is
        self._process = start_python(
            ("-m", PROGRAM, str(model.model_file.resolve()), model.sha256),
            _environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        self._most = _LIBRARIES + LIMITS.memory_bytes + 4 * model.size
        self._frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="brought-listen", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def wait_until_ready(self, report: Report, should_stop: ShouldStop) -> None:
        """Wait until the model is open.

        Raises:
            ModelFileError: it is refused, or could not be opened within its time and memory.
            StoppedError: ``should_stop`` said so.
        """
        deadline, done = time.monotonic() + LIMITS.load_seconds, 0.0
        while True:
            values, _ = self._next(deadline, should_stop)
            if values.get("ready"):
                return
            done += 1
            report(min(done / (_STEPS + 1), 1.0), str(values.get("stage", "Opening the model"))[:100])

    def ask(self, images: Images) -> Array:
        """What the model says: ``(n, outputs)`` for ``(n, s, s, 3)``.

        Raises:
            ModelFileError: it gave no proper answer, or none within its time and memory.
        """
        question = ({"shape": list(images.shape)}, np.ascontiguousarray(images).tobytes())
        # In a thread, because a process that does not read would hold up whoever writes to it.
        threading.Thread(target=self._send, args=question, name="brought-send", daemon=True).start()
        values, data = self._next(time.monotonic() + LIMITS.ask_seconds, never)
        shape = (len(images), self.model.outputs)
        if values.get("shape") != list(shape) or len(data) != 4 * shape[0] * shape[1]:
            raise self._ended("It answered something that is no answer")
        answers = np.frombuffer(data, np.float32).reshape(shape)
        if not np.isfinite(answers).all():
            raise self._ended("It answered something that is no number")
        return answers

    def end(self) -> None:
        """End it at once; there is nothing to save."""
        end_process(self._process, grace=0)

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  # a pipe, as asked for
        with self._process.stdout as stream:
            while (frame := read_frame(stream)) is not None:
                self._frames.put(frame)
        self._frames.put(None)

    def _send(self, values: dict[str, Any], data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  # a pipe, as asked for
        try:
            write_frame(self._process.stdin, values, data)
        except (OSError, ValueError) as error:  # it has ended meanwhile; whoever waits for the answer hears of it
            logger.info("A model from a file could not be asked: %s", error)

    def _next(self, deadline: float, should_stop: ShouldStop) -> Frame:
        while True:
            try:
                frame = self._frames.get(timeout=_INTERVAL)
            except queue.Empty:
                self._watch(deadline, should_stop)
                continue
            if frame is None:
                raise self._ended("It ended by itself")
            if "error" in frame[0]:
                self.end()
                raise ModelFileError(str(frame[0]["error"])[:1000])
            return frame

    def _watch(self, deadline: float, should_stop: ShouldStop) -> None:
        if should_stop():
            self.end()
            raise StoppedError("Opening the model was stopped.")
        if time.monotonic() > deadline:
            raise self._ended("It took too long")
        try:
            taken = psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return  # it has just ended, which its pipe will tell
        if taken > self._most:
            raise self._ended("It took too much memory")

    def _ended(self, why: str) -> ModelFileError:
        self.end()
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace")[-_LOG_END:]
        logger.warning("A model from a file was closed. %s (exit code %s): %s", why, self._process.returncode, said)
        return ModelFileError(
            f"The model “{self.model.name}” was closed. {why}, and the server's log has more: try again, or bring a "
            "model with a smaller backbone."
        )


class _Kept:
    """The one process of this server."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: BroughtProcess | None = None
        self._timer: threading.Timer | None = None

    def turn(self, should_stop: ShouldStop) -> _Turn:
        return _Turn(self._turn, should_stop)

    def has(self, model: BroughtModel) -> bool:
        process = self._process
        return process is not None and process.model == model and process.alive

    def opened(self, model: BroughtModel, report: Report, should_stop: ShouldStop) -> BroughtProcess:
        """The process with this model; the caller holds the turn."""
        if self._timer is not None:
            self._timer.cancel()
        if self._process is None or not self.has(model):
            self.close()
            process = BroughtProcess(model)
            try:
                process.wait_until_ready(report, should_stop)
            except BaseException:
                process.end()
                raise
            self._process = process
        self._timer = threading.Timer(IDLE_SECONDS, self._close_if_idle)
        self._timer.daemon = True
        self._timer.start()
        return self._process

    def end(self) -> None:
        """End the process without waiting for the turn; who has the turn will notice."""
        process = self._process
        if process is not None:
            process.end()

    def close(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def _close_if_idle(self) -> None:
        # Whoever has the turn just now sets a new timer.
        if self._turn.acquire(blocking=False):
            try:
                self.close()
            finally:
                self._turn.release()


class _Turn:
    """A lock that can be waited for without deafness."""

    def __init__(self, lock: threading.Lock, should_stop: ShouldStop) -> None:
        self._lock = lock
        self._should_stop = should_stop

    def __enter__(self) -> None:
        while not self._lock.acquire(timeout=_INTERVAL):
            if self._should_stop():
                raise StoppedError("Opening the model was stopped.")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return {**kept, "PYTHONPATH": with_our_code(), "KERAS_BACKEND": "tensorflow", "MALLOC_ARENA_MAX": "2"}


_kept = _Kept()
atexit.register(_kept.close)
