"""The Ray cluster as this program sees it: how to reach it, what a training takes of it, whether its nodes can work.

Ray is optional; only what speaks to a cluster imports it.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tl_core.errors import ClusterError
from tl_core.jobs.runners.ray_node import check_node, compared_versions
from tl_core.storage.workspace import Workspace

ADDRESS: Final = "TL_RAY_ADDRESS"
CPUS: Final = "TL_RAY_CPUS"
MEMORY: Final = "TL_RAY_MEMORY_GB"
DEFAULT_MEMORY_GB: Final = 3.0
CHECK_SECONDS: Final = 60.0  # that a node has to answer
CLOCKS_DIFFER: Final = 5.0  # seconds, from which on the clock of a node is wrong
_PASSED_ON: Final = (  # a password for MLflow is not: Ray shows these to whoever sees its pages
    *("TL_WORKSPACE_GB", "TL_CACHE_GB", "TF_CPP_MIN_LOG_LEVEL", "TL_TENSORBOARD"),
    *("TL_MLFLOW", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"),
)
_OUR_CODE: Final = Path(__file__).parents[2]

Nodes = Sequence[Mapping[str, Any]]
"""Nodes as ``ray.nodes()`` lists them."""


def cluster_address() -> str | None:
    """The cluster that trainings are to run on, or None."""
    return os.environ.get(ADDRESS) or None


def require_ray() -> str:
    """The address of the cluster.

    Raises:
        ClusterError: there is none, or Ray is not installed.
    """
    address = cluster_address()
    if address is None:
        raise ClusterError(
            f"There is no cluster to train on: set {ADDRESS} to auto on a machine of it, or to ray://HOST:10001."
        )
    _require_installed()
    return address


def _require_installed() -> None:
    if importlib.util.find_spec("ray") is None:
        raise ClusterError('Trainings on a cluster need Ray, which is not installed: run pip install "ray>=2.60,<3".')


def connect(address: str) -> None:
    """Connect this process to a cluster, unless it is connected; nodes get the code of this process.

    Raises:
        ClusterError: no cluster answers there, or it has other versions of Python or Ray.
    """
    _require_installed()
    import ray

    if ray.is_initialized():
        return
    variables = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        ray.init(
            address=address,
            runtime_env={"py_modules": [str(_OUR_CODE)], "env_vars": variables},
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ClusterError(
            f"No Ray cluster answers at {address} ({reason[0].rstrip('.')}): start one with “ray start --head”, "
            f"or change {ADDRESS}."
        ) from error


def alive_nodes() -> list[dict[str, Any]]:
    """The nodes that live, as Ray lists them."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def names_of(nodes: Nodes) -> dict[str, str]:
    """What to call each node, by its id: its machine, and a part of the id where several have the same."""
    hosts = {str(node["NodeID"]): str(node["NodeManagerHostname"]) for node in nodes}
    times = Counter(hosts.values())
    return {node: host if times[host] == 1 else f"{host}-{node[:6]}" for node, host in hosts.items()}


@dataclass(frozen=True, slots=True)
class Needs:
    """What one training takes of a node."""

    cpus: float
    gpus: int
    memory: float  # bytes

    @classmethod
    def of(cls, nodes: Nodes) -> Needs:
        """One GPU with its share of the CPUs where there are GPUs, else all CPUs of the smallest node.

        A training uses all the cores that it finds, so a node without a GPU trains one run at a time. The variables
        TL_RAY_CPUS and TL_RAY_MEMORY_GB say otherwise.
        """
        usable = [_Room.of(node) for node in nodes if node["Resources"].get("CPU", 0) >= 1]
        with_gpu = [room for room in usable if room.gpus]
        shares = [room.cpus // room.gpus for room in with_gpu] or [room.cpus for room in usable] or [1.0]
        memory = min([_number(MEMORY, DEFAULT_MEMORY_GB) * 1e9, *(room.memory for room in with_gpu or usable)])
        return cls(_number(CPUS, max(1.0, min(shares))), int(bool(with_gpu)), memory)

    def fit_into(self, nodes: Nodes) -> int:
        """How many trainings all nodes together hold, were they free."""
        return sum(_Room.of(node).holds(self) for node in nodes)


@dataclass(frozen=True, slots=True)
class _Room:
    cpus: float
    gpus: float
    memory: float  # bytes

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> _Room:
        resources = node["Resources"]
        return cls(*(float(resources.get(name, 0)) for name in ("CPU", "GPU", "memory")))

    def holds(self, needs: Needs) -> int:
        pairs = ((self.cpus, needs.cpus), (self.gpus, needs.gpus), (self.memory, needs.memory))
        return math.floor(min(there / needed for there, needed in pairs if needed))


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable)
    try:
        value = default if not text else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise ClusterError(f"{variable} must be a number above 0. Received: {text}.")
    return value


def check_nodes(address: str, workspace: Workspace) -> Iterator[tuple[str, str, str | None]]:
    """Have every node write and read in the workspace, and compare its versions and its clock with ours.

    Yields:
        Name of the node, what was found, and what it cannot do (None where all is well).

    Raises:
        ClusterError: no cluster answers.
        WorkspaceError: this machine cannot write in the workspace.
    """
    workspace.ensure()
    connect(address)
    import ray

    nodes = alive_nodes()
    names = names_of(nodes)
    expected = f".cluster-{secrets.token_hex(8)}"
    written = workspace.root / expected
    written.write_text(expected)
    try:
        asked = time.time()
        answers = {node["NodeID"]: workspace.root / f"{expected}-{node['NodeID']}" for node in nodes}
        tasks = {node: _ask(node, workspace, expected, file.name) for node, file in answers.items()}
        for node, task in tasks.items():
            yield names[node], *_judge(task, answers[node], expected, asked)
    finally:
        for left in workspace.root.glob(f"{expected}*"):
            left.unlink(missing_ok=True)
        ray.shutdown()  # Ray ends a process that is connected when its cluster goes away


def _ask(node: str, workspace: Workspace, expected: str, file: str) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(check_node).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    return task.remote(str(workspace.root.resolve()), expected, file)


def _judge(task: Any, answer: Path, expected: str, asked: float) -> tuple[str, str | None]:
    import ray

    try:
        found = ray.get(task, timeout=CHECK_SECONDS)
    except (ray.exceptions.RayError, ImportError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        return "did not do a small task", f"did not do a small task ({reason}): look at “ray status”"
    return found["device"], found["problem"] or _unseen(answer, expected) or _differs(found, asked)


def _unseen(answer: Path, expected: str) -> str | None:
    try:
        seen = answer.read_text() == expected
    except OSError:
        seen = False
    return None if seen else f"writes in another folder than {answer.parent}: mount the same folder on every node"


def _differs(found: Mapping[str, Any], asked: float) -> str | None:
    ours = compared_versions()
    other = [
        f"{name} {version or 'missing'} in place of {ours[name] or 'none'}"
        for name, version in found["versions"].items()
        if version != ours[name]
    ]
    if other:
        return f"has {', '.join(other)}: install the same versions there, with requirements.lock"
    seconds = max(asked - found["clock"], found["clock"] - time.time())
    return None if seconds < CLOCKS_DIFFER else f"has a clock that is {seconds:.0f} s off: have NTP set it"
