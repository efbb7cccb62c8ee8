"""The one imported model that is open in this server: opened when needed, used in turn, closed when idle."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Iterator
from typing import Final

import numpy as np

from tl_core.imported_models.sandbox.client import INTERVAL, STOPPED, Array, Images, SandboxClient
from tl_core.imported_models.store import ImportedModel
from tl_core.machine.progress import UNATTENDED, TaskContext

IDLE_SECONDS: Final = 120.0  # without a question, after which the process is ended
AT_ONCE: Final = 8  # images; the activations of a large network take 100 MB each


def hold_open(model: ImportedModel, task: TaskContext = UNATTENDED) -> None:
    """Open an imported model in its process, unless it is open already.

    Args:
        model: from `tl_core.imported_models.store`.
        task: gets the progress; checked several times a second.

    Raises:
        ModelFileError: the process refuses the model, or could not open it within its time and memory.
        StoppedError: a stop was requested.
    """
    with _server.turn(task):
        _server.opened(model, task)


def ask(model: ImportedModel, images: Images) -> Array:
    """The model's predictions; its process is started again where it has ended.

    Args:
        model: from `tl_core.imported_models.store`.
        images: ``(n, s, s, 3)``, at least one.

    Returns:
        ``(n, outputs)``, finite.

    Raises:
        ModelFileError: it cannot be opened, or returned no valid result within its time and memory.
    """
    parts = []
    for start in range(0, len(images), AT_ONCE):
        with _server.turn(UNATTENDED):
            process = _server.opened(model, UNATTENDED)
            parts.append(process.ask(images[start : start + AT_ONCE]))
    return np.concatenate(parts)


def is_open(model: ImportedModel) -> bool:
    """Whether the model is open."""
    return _server.has(model)


def end_if_open(model: ImportedModel) -> None:
    """End the process of this model at once, also while it predicts."""
    if _server.has(model):
        _server.end()


def close_imported_model() -> None:
    """End the process, if there is one."""
    with _server.turn(UNATTENDED):
        _server.close()


class _ModelServer:
    """The one sandbox process of this server; it is closed when idle."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: SandboxClient | None = None
        self._timer: threading.Timer | None = None

    @contextlib.contextmanager
    def turn(self, task: TaskContext) -> Iterator[None]:
        """Exclusive use of the process until the block is left."""
        while not self._turn.acquire(timeout=INTERVAL):
            task.stop_if_asked(STOPPED)
        try:
            yield
        finally:
            self._turn.release()

    def has(self, model: ImportedModel) -> bool:
        process = self._process
        return process is not None and process.model == model and process.alive

    def opened(self, model: ImportedModel, task: TaskContext) -> SandboxClient:
        """The process with this model; the caller holds the turn."""
        if self._timer is not None:
            self._timer.cancel()
        if self._process is None or not self.has(model):
            self.close()
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
        # The thread that has the turn sets a new timer.
        if self._turn.acquire(blocking=False):
            try:
                self.close()
            finally:
                self._turn.release()


_server = _ModelServer()
atexit.register(_server.close)
