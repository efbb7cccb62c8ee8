"""A real Ray cluster on this machine: a head that trains nothing, and nodes of one CPU each that can be killed."""

from __future__ import annotations

import psutil
from ray.cluster_utils import Cluster

from tl_core.runs import find_run

# A raylet that is killed counts as dead after a second or two, not after fifteen.
_CONFIG = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
    "worker_niceness": 5,  # as that of a worker process; 15 would starve beside other tests
}
_STORE = 80 << 20  # bytes of the object store, through which nothing goes here
_MEMORY = 4 << 30  # bytes, of a node


class SmallCluster:
    """Nodes on one machine."""

    def __init__(self, nodes: int) -> None:
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "object_store_memory": _STORE, "_system_config": _CONFIG},
        )
        self.nodes = [self._add() for _ in range(nodes)]

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def kill_node_of(self, workspace, run_id: str) -> None:
        """Kill the node on which a run is trained, with all its processes; another one joins the cluster."""
        trains = psutil.Process(find_run(workspace, run_id).owner.pid)
        above = {process.pid for process in trains.parents()}
        (node,) = (node for node in self.nodes if node.all_processes["raylet"][0].process.pid in above)
        self.nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self._add())

    def shutdown(self) -> None:
        self._cluster.shutdown()

    def _add(self):
        return self._cluster.add_node(num_cpus=1, object_store_memory=_STORE, memory=_MEMORY)
