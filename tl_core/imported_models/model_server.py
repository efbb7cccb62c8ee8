"""The one imported model that is open in this server: opened when needed, used in turn, closed when idle.

The server never opens such a file in Keras. It sends pixels to a process, takes numbers back, trusts neither their
size nor their form, and ends the process when it takes too long, takes too much, or is no longer needed.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import psutil

from tl_core.data.normalise import Reading
from tl_core.errors import ModelFileError
from tl_core.imported_models.check.architecture import LIMITS
from tl_core.imported_models.sandbox.frames import Frame, read_frame, write_frame
from tl_core.imported_models.store import ImportedModel
from tl_core.inference.calibration import Calibration
from tl_core.machine.child_process import end_process, start_python, with_our_code
from tl_core.machine.progress import UNATTENDED, TaskContext

if TYPE_CHECKING:
    from tl_core.inference.predict import Answerer
    from tl_core.inference.predictor import Predictor

logger = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]

PROGRAM: Final = "tl_core.imported_models.sandbox.worker"
IDLE_SECONDS: Final = 120.0  # without a question, after which the process is ended
AT_ONCE: Final = 8  # images; the activations of a large network take 100 MB each
INTERVAL: Final = 0.1  # seconds between two checks of the clock, the memory and the task
STOPPED: Final = "Opening the model was stopped."
MOST_BYTES: Final = 1_000_000  # of a result: 8 pictures, 10,000 classes
_LIBRARIES: Final = 1_500_000_000  # bytes that TensorFlow may take by itself
_LOG_END: Final = 4000  # characters of an ended process's output that go to the log
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


def open_imported_model(model: ImportedModel, task: TaskContext = UNATTENDED) -> Predictor:
    """Open an imported model in its process, unless it is open already; see `hold_open`.

    Returns:
        A predictor that asks the process, and starts it again where it has ended.
    """
    from tl_core.inference.predictor import Predictor  # TensorFlow

    hold_open(model, task)
    reading = Reading(model.image_size, model.fit, model.decoding)
    return Predictor(model.classes, reading, _Elsewhere(model))


def answerer_of(model: ImportedModel) -> Answerer:
    """For `inference.predict`: uncertain answers are given as its manifest says; plainly, where it says nothing."""
    confidence = Calibration(model_sha256=model.sha256, temperature=model.temperature, threshold=model.threshold)
    return lambda: (open_imported_model(model), confidence)


class _Elsewhere:
    """A network of `tl_core.features`, which lives in another process."""

    text = "a process of its own"

    def __init__(self, model: ImportedModel) -> None:
        self._model = model

    def __call__(self, images: Images) -> list[Array]:
        return [_server.ask(self._model, images)]


class _ModelServer:
    """The one sandbox process of this server, used by one thread at a time and closed when idle."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: SandboxClient | None = None
        self._timer: threading.Timer | None = None

    def hold_open(self, model: ImportedModel, task: TaskContext = UNATTENDED) -> None:
        """Open an imported model in its process, unless it is open already.

        Args:
            model: from `tl_core.imported_models.store`.
            task: gets the progress; checked several times a second.

        Raises:
            ModelFileError: the process refuses the model, or could not open it within its time and memory.
            StoppedError: a stop was requested.
        """
        with self.turn(task):
            self._opened(model, task)

    def ask(self, model: ImportedModel, images: Images) -> Array:
        """The model's predictions ``(n, outputs)``, finite, for images ``(n, s, s, 3)``, at least one.

        Its process is started again where it has ended.

        Raises:
            ModelFileError: it cannot be opened, or returned no valid result within its time and memory.
        """
        parts = []
        for start in range(0, len(images), AT_ONCE):
            with self.turn(UNATTENDED):
                process = self._opened(model, UNATTENDED)
                parts.append(process.ask(images[start : start + AT_ONCE], model.scaling or "built_in"))
        return np.concatenate(parts)

    def is_open(self, model: ImportedModel) -> bool:
        """Whether the model is open."""
        process = self._process
        return (
            process is not None and process.alive and process.model == replace(model, scaling=process.model.scaling)
        )

    def end_if_open(self, model: ImportedModel) -> None:
        """End the process of this model at once, also while it predicts: who has the turn will notice."""
        process = self._process
        if process is not None and self.is_open(model):
            process.end()

    def close(self) -> None:
        """End the process, if there is one, when it has answered."""
        with self.turn(UNATTENDED):
            self._close()

    @contextlib.contextmanager
    def turn(self, task: TaskContext) -> Iterator[None]:
        """Exclusive use of the process until the block is left."""
        while not self._turn.acquire(timeout=INTERVAL):
            task.stop_if_asked(STOPPED)
        try:
            yield
        finally:
            self._turn.release()

    def _opened(self, model: ImportedModel, task: TaskContext) -> SandboxClient:
        """The process with this model; the caller has the turn."""
        if self._timer is not None:
            self._timer.cancel()
        if self._process is None or not self.is_open(model):
            self._close()
            process = SandboxClient(model)
            try:
                process.wait_until_ready(task)
            except BaseException:
                process.end()
                raise
            self._process = process
        self._timer = threading.Timer(IDLE_SECONDS, self._close_if_idle)
        self._timer.daemon = True
        self._timer.start()
        return self._process

    def _close(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def _close_if_idle(self) -> None:
        # The thread that has the turn sets a new timer.
        if self._turn.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._turn.release()


_server: Final = _ModelServer()
hold_open = _server.hold_open
is_open = _server.is_open
end_if_open = _server.end_if_open
close_imported_model = _server.close
atexit.register(_server._close)


class SandboxClient:
    """One process with one model; used by one thread at a time."""

    def __init__(self, model: ImportedModel) -> None:
        self.model = model
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process is
        kept = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        self._process = start_python(
            ("-m", PROGRAM, str(model.model_file.resolve()), model.sha256),
            {**kept, "PYTHONPATH": with_our_code(), "KERAS_BACKEND": "tensorflow", "MALLOC_ARENA_MAX": "2"},
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

    def ask(self, images: Images, scaling: str = "built_in") -> Array:
        """The model's output ``(n, outputs)`` for ``(n, s, s, 3)``, which it gets in this range.

        Raises:
            ModelFileError: it returned no valid result, or none within its time and memory.
        """
        question = ({"shape": list(images.shape), "scaling": scaling}, np.ascontiguousarray(images).tobytes())
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
