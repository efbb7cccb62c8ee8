"""Runs trainings on a Ray cluster, several at a time: Ray queues them, places them and counts what they take."""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path
from typing import Final

from tl_core.jobs.runners.runner import RunningTraining
from tl_core.machine.child_process import JsonProcess
from tl_core.runs.record import Mode

logger = logging.getLogger(__name__)

MODULE: Final = "tl_core.jobs.runners.ray_process"
CUT_OFF: Final = (
    "The connection to the cluster at {} ended unexpectedly, and the training with it. Nothing that was saved is "
    "lost: press Resume to go on from its last saved epoch once the cluster answers."
)


class RayRunner:
    """Trainings on a cluster, spoken to by one process.

    Args:
        address: of the cluster: ``auto``, ``HOST:6379`` on one of its machines, or ``ray://HOST:10001``.
    """

    starting: Final = "Waiting for a free machine of the cluster, or starting up there …"

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    @property
    def slots(self) -> int:
        """Trainings that the cluster holds; it changes when machines join or leave."""
        return max(1, self._connection.slots if self._connection else 1)

    def warm_up(self) -> None:
        """Connect to the cluster; returns at once."""
        self._connected()

    def start(self, mode: Mode, run_path: Path, slot: int) -> RunningTraining:  # noqa: ARG002  # Ray has its own places
        """Begin a training as soon as Ray has a node for it."""
        return RayTraining(self._connected(), mode, str(run_path))

    def rest(self, slot: int) -> None:
        """A training's process on the cluster has ended with it."""

    def close(self) -> None:
        """End the connection, with what is trained."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is None or not self._connection.alive:
                self._connection = Connection(self._address)
            return self._connection


class Connection(JsonProcess):
    """The process that speaks to one cluster."""

    def __init__(self, address: str) -> None:
        self.slots = 1
        self._address = address
        self._closed = False
        self._beginning = threading.Lock()
        self._ended: dict[str, queue.SimpleQueue[str | None]] = {}
        super().__init__(MODULE, address)
        threading.Thread(target=self._read, name="cluster", daemon=True).start()

    def begin(self, mode: Mode, run: str) -> None:
        """Have a run trained."""
        with self._beginning:
            self._ended[run] = queue.SimpleQueue()
        self.send(mode=mode, run=run)
        if not self.alive:  # perhaps since before it could be noted by the reader
            self._end_all()

    def until_ended(self, run: str) -> str | None:
        """Return once a training has ended; a sentence if it was cut off."""
        return self._ended[run].get()

    def close(self) -> None:
        """End the process and wait until it is gone."""
        self._closed = True
        super().close()

    def _read(self) -> None:
        for answer in self.answers():
            self.slots = answer.get("slots", self.slots)
            if "ended" in answer:
                self._ended[answer["ended"]].put(answer["gone"])
        if not self._closed:
            logger.warning("The process that spoke to the cluster at %s is gone", self._address)
        self._end_all()

    def _end_all(self) -> None:
        with self._beginning:
            for waiting in self._ended.values():
                waiting.put(CUT_OFF.format(self._address))


class RayTraining:
    """A training on the cluster, or waiting for a node of it."""

    def __init__(self, connection: Connection, mode: Mode, run: str) -> None:
        self._connection = connection
        self._run = run
        connection.begin(mode, run)

    def stop(self) -> None:
        """Ask it to stop."""
        self._connection.send(stop=self._run)

    def kill(self) -> None:
        """End its process on the node."""
        self._connection.send(kill=self._run)

    def wait(self) -> str | None:
        """Return once it has ended, on whichever node."""
        return self._connection.until_ended(self._run)
