"""The process that speaks to Ray: ``python -m tl_core.jobs.runners.ray_process ADDRESS``, started by `RayRunner`.

Of its own, because Ray ends a process whose cluster is gone, and that must not be the dashboard. It reads requests
from its standard input and answers on its standard output, one JSON object per line:

- ``{"mode": "train", "run": PATH}`` begins a training, ``{"stop": PATH}`` stops it, ``{"kill": PATH}`` ends it now;
- ``{"ended": PATH, "gone": SENTENCE or null}`` once it has ended, ``{"slots": COUNT}`` whenever the cluster changes.

It ends with its standard input, so with the program that started it; Ray then ends what it trains.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import ray

from tl_core.errors import ClusterError, TransferLearningError
from tl_core.jobs.runners.ray_cluster import Needs, alive_nodes, connect
from tl_core.jobs.runners.ray_node import NodeTrainer
from tl_core.jobs.runners.worker_process import answers_alone, end_with_parent, say
from tl_core.runs import RunFolder, load_run, update_run
from tl_core.runs.heartbeat import Heartbeat
from tl_core.runs.record import Mode
from tl_core.runs.store import end_run, this_process

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0  # seconds between two looks whether a waiting training has its node
COUNT_EVERY: Final = 5.0  # seconds between two looks at the nodes
_METHODS_AT_A_TIME: Final = 4  # of the actor: one trains, one stops it

NOT_PLACED: Final = "Stopped while it was waiting for a machine of the cluster."
KILLED: Final = "This training was ended on the cluster."
MEMORY_FULL: Final = "the memory of the machine was full"
PROCESS_GONE: Final = "its process was killed or crashed"
GONE: Final = (
    "This training ended unexpectedly on the machine {} ({}). Nothing that was saved is lost: press Resume to go on "
    "from its last saved epoch."
)
NODE_GONE: Final = "The machine {} is gone; another one goes on from the last saved epoch."
REFUSED: Final = "The machine {} of the cluster cannot train ({}): “python -m tl_core doctor” says what to do there."


@dataclass(eq=False)
class ClusterTraining:
    """One run, until it has ended: on one node, or on several if nodes die."""

    mode: Mode
    path: Path
    stopped: threading.Event = field(default_factory=threading.Event)
    killed: threading.Event = field(default_factory=threading.Event)
    node: str | None = None  # id, once it is placed
    name: str = "?"  # of the node
    note: str | None = None  # for the run's log: what became of the node before
    _actor: Any = None

    def run(self) -> str | None:
        """Train.

        Returns:
            None where the run's folder says how it ended, else a sentence.

        Raises:
            TransferLearningError: a node cannot train it.
        """
        while True:
            before = alive_nodes()
            try:
                self._actor = self._new_actor(before)
                if not self._wait_for_node():
                    return self._withdraw()
                ray.get(self._actor.train.remote(self.mode, str(self.path), self.note))
                return None
            except ray.exceptions.RayActorError as error:
                if self.killed.is_set():
                    return KILLED
                if not self._lost_its_node(before):
                    return GONE.format(self.name, MEMORY_FULL if "memory" in str(error) else PROCESS_GONE)
                if not self._may_go_on():
                    return None
            except ray.exceptions.RayTaskError as error:
                raise ClusterError(REFUSED.format(self.name, str(error.cause).rstrip("."))) from error
            finally:
                if self._actor is not None:
                    ray.kill(self._actor)

    def stop(self) -> None:
        """Ask it to stop; returns at once."""
        self.stopped.set()
        if self.node is not None:
            self._actor.stop.remote()

    def kill(self) -> None:
        """End it now; returns at once."""
        self.killed.set()
        if self._actor is not None:
            ray.kill(self._actor)

    def _new_actor(self, nodes: list[dict[str, Any]]) -> Any:
        needs = Needs.of(nodes)
        options = {
            "num_cpus": needs.cpus,
            "num_gpus": needs.gpus,
            "memory": needs.memory,
            "max_concurrency": _METHODS_AT_A_TIME,
            "max_restarts": 0,  # what can go on goes on from its checkpoint, in a new actor
            "max_task_retries": -1,  # over a network that was away for a moment: the methods may be called again
        }
        self.node, self.name = None, "?"
        return ray.remote(NodeTrainer).options(**options).remote()

    def _wait_for_node(self) -> bool:
        """Return whether Ray has placed it; it is withdrawn before where it is told to end."""
        heartbeat = Heartbeat(RunFolder(self.path))
        place = self._actor.place.remote()
        while not ray.wait([place], timeout=LOOK_EVERY)[0]:
            heartbeat.slow_step()  # to wait for a machine is no hang
            if self.stopped.is_set() or self.killed.is_set():
                return False
        self.node, self.name = ray.get(place)
        if self.stopped.is_set():
            self._actor.stop.remote()
        return True

    def _lost_its_node(self, before: list[dict[str, Any]]) -> bool:
        now = {node["NodeID"] for node in alive_nodes()}
        if self.node is not None:
            return self.node not in now
        return any(node["NodeID"] not in now for node in before)  # it was perhaps about to begin there

    def _withdraw(self) -> str | None:
        if self.killed.is_set():
            return KILLED
        end_run(self.path, "stopped", NOT_PLACED)
        return None

    def _may_go_on(self) -> bool:
        """Prepare it for another node; whether it had not ended on the one that is gone."""
        run = load_run(self.path)
        if run.status in ("running", "interrupted"):
            self.mode = "resume"
        elif run.status != "queued":
            return False
        logger.warning("The node %s is gone; the run %s goes on elsewhere", self.name, run.id)
        self.note = NODE_GONE.format(self.name)
        update_run(self.path, status="queued", owner=this_process())
        return True


class Cluster:
    """The trainings on one cluster.

    Args:
        address: of the cluster, as Ray takes it.
        answer: tells the program that asks.
    """

    def __init__(self, address: str, answer: Callable[..., None]) -> None:
        self._address = address
        self._answer = answer
        self._connecting = threading.Lock()
        self._trainings: dict[str, ClusterTraining] = {}

    def connect(self) -> None:
        """Connect, if it is not connected.

        Raises:
            ClusterError: no cluster answers.
        """
        with self._connecting:
            connect(self._address)

    def count(self) -> None:
        """Tell how many trainings the cluster holds, whenever that changes; never returns."""
        told, pause = None, threading.Event()
        while True:
            try:
                if ray.is_initialized():
                    nodes = alive_nodes()
                    slots = Needs.of(nodes).fit_into(nodes)
                    if slots != told:
                        self._answer(slots=slots)
                        told = slots
            except (ClusterError, ray.exceptions.RayError):
                logger.warning("The nodes of the cluster could not be counted", exc_info=True)
            pause.wait(COUNT_EVERY)

    def handle(self, request: dict[str, Any]) -> None:
        """Do what is asked; returns at once."""
        if "mode" in request:
            training = ClusterTraining(request["mode"], Path(request["run"]))
            self._trainings[request["run"]] = training
            threading.Thread(target=self._work, args=(training,), name="training", daemon=True).start()
        elif "stop" in request:
            self._trainings[request["stop"]].stop()
        elif "kill" in request:
            self._trainings[request["kill"]].kill()

    def _work(self, training: ClusterTraining) -> None:
        try:
            self.connect()
            gone = training.run()
        except TransferLearningError as error:
            gone = str(error)
        except Exception as error:  # whatever Ray raises, the run says that it was cut off
            logger.exception("The run %s could not be trained on the cluster", training.path.name)
            gone = GONE.format(training.name, type(error).__name__)
        self._answer(ended=str(training.path), gone=gone)


def main() -> None:
    """Train on the cluster what is asked for."""
    answers = answers_alone()
    end_with_parent()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    cluster = Cluster(sys.argv[1], functools.partial(_answer, answers, threading.Lock()))
    threading.Thread(target=_get_ready, args=(cluster,), name="cluster", daemon=True).start()
    for line in sys.stdin.buffer:
        cluster.handle(json.loads(line))
    os._exit(0)  # nobody is left to train for; Ray ends the trainings of a process that is gone


def _get_ready(cluster: Cluster) -> None:
    try:
        cluster.connect()
    except ClusterError as error:
        logger.warning("%s", error)  # the next training tries again, and says so
    cluster.count()


def _answer(answers: TextIO, lock: Any, **values: Any) -> None:
    with lock:
        say(answers, **values)


if __name__ == "__main__":
    main()
