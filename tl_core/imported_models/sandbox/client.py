"""The process in which an imported model is open, as the server sees it.

The server never opens such a file in Keras. It sends pixels to the process, takes numbers back, trusts neither
their size nor their form, and ends the process when it takes too long, takes too much, or is no longer needed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import tempfile
import threading
import time
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil

from tl_core.errors import ModelFileError
from tl_core.imported_models.check.limits import LIMITS
from tl_core.imported_models.sandbox.frames import Frame, read_frame, write_frame
from tl_core.imported_models.store import ImportedModel
from tl_core.machine.child_process import end_process, start_python, with_our_code
from tl_core.machine.progress import UNATTENDED, TaskContext

logger = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]

PROGRAM: Final = "tl_core.imported_models.sandbox.worker"

INTERVAL: Final = 0.1  # seconds between two checks of the clock, the memory and the task
STOPPED: Final = "Opening the model was stopped."
_LIBRARIES: Final = 1_500_000_000  # bytes that TensorFlow may take by itself
_LOG_END: Final = 4000  # characters of an ended process's output that go to the log
MOST_BYTES: Final = 1_000_000  # of a result: 8 pictures, 10,000 classes
_UNREAD: Final = 4  # frames
_STEPS: Final = 4.0  # that the process reports until it is ready

# All that Python and TensorFlow need; no key, token or password of the server is passed.
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


class SandboxClient:
    """One process with one model; used by one thread at a time."""

    def __init__(self, model: ImportedModel) -> None:
        self.model = model
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process is
        self._process = start_python(
            ("-m", PROGRAM, str(model.model_file.resolve()), model.sha256),
            _environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
        )
        self._most = _LIBRARIES + LIMITS.memory_bytes + 4 * model.size
        self._frames: queue.Queue[Frame | None] = queue.Queue(maxsize=_UNREAD)
        self._over = False
        threading.Thread(target=self._listen, name="brought-listen", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can predict."""
        return self._process.poll() is None

    def wait_until_ready(self, task: TaskContext) -> None:
        """Wait until the model is open.

        Raises:
            ModelFileError: it is refused, or could not be opened within its time and memory.
            StoppedError: a stop was requested.
        """
        deadline, done = time.monotonic() + LIMITS.load_seconds, 0.0
        while True:
            values, _ = self._next(deadline, task)
            if values.get("ready"):
                return
            done += 1
            task.report(min(done, _STEPS + 1), _STEPS + 1, str(values.get("stage", "Opening the model"))[:100])

    def ask(self, images: Images) -> Array:
        """The model's output ``(n, outputs)`` for ``(n, s, s, 3)``.

        Raises:
            ModelFileError: it returned no valid result, or none within its time and memory.
        """
        question = ({"shape": list(images.shape)}, np.ascontiguousarray(images).tobytes())
        # In a thread, because a process that does not read would block the writer.
        threading.Thread(target=self._send, args=question, name="brought-send", daemon=True).start()
        values, data = self._next(time.monotonic() + LIMITS.ask_seconds, UNATTENDED)
        shape = (len(images), self.model.outputs)
        if values.get("shape") != list(shape) or len(data) != 4 * shape[0] * shape[1]:
            raise self._ended("It answered something that is no answer")
        answers = np.frombuffer(data, np.float32).reshape(shape)
        if not np.isfinite(answers).all():
            raise self._ended("It answered something that is no number")
        return answers

    def end(self) -> None:
        """End it at once; there is nothing to save."""
        self._over = True
        end_process(self._process, grace=0)
        with contextlib.suppress(queue.Empty):  # the reading thread may wait for room in the queue
            while True:
                self._frames.get_nowait()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  # a pipe, as requested
        with self._process.stdout as stream:
            frame: Frame | None = ({}, b"")
            while frame is not None and not self._over:
                frame = read_frame(stream, MOST_BYTES)
                self._frames.put(frame)

    def _send(self, values: dict[str, Any], data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  # a pipe, as requested
        try:
            write_frame(self._process.stdin, values, data)
        except (OSError, ValueError) as error:  # it has ended meanwhile; the thread that waits for the result is told
            logger.info("A model from a file could not be asked: %s", error)

    def _next(self, deadline: float, task: TaskContext) -> Frame:
        while True:
            self._watch(deadline, task)  # each time: it could send messages without end
            try:
                frame = self._frames.get(timeout=INTERVAL)
            except queue.Empty:
                continue
            if frame is None:
                raise self._ended("It ended by itself")
            if "error" in frame[0]:
                self.end()
                raise ModelFileError(str(frame[0]["error"])[:1000])
            return frame

    def _watch(self, deadline: float, task: TaskContext) -> None:
        if task.should_stop():
            self.end()
            task.stop_if_asked(STOPPED)
        if time.monotonic() > deadline:
            raise self._ended("It took too long")
        try:
            taken = psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return  # it has just ended, which its pipe will show
        if taken > self._most:
            raise self._ended("It took too much memory")

    def _ended(self, why: str) -> ModelFileError:
        self.end()
        self._printed.seek(0)
        printed = self._printed.read().decode("utf-8", "replace")[-_LOG_END:]
        logger.warning(
            "A model from a file was closed. %s (exit code %s): %s", why, self._process.returncode, printed
        )
        return ModelFileError(
            f"The model “{self.model.name}” was closed. {why}, and the server's log has more: try again, or bring a "
            "model with a smaller backbone."
        )


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return {**kept, "PYTHONPATH": with_our_code(), "KERAS_BACKEND": "tensorflow", "MALLOC_ARENA_MAX": "2"}
