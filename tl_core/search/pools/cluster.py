"""The heads of a search on the nodes of a Ray cluster, one per processor, and its backbones one per node.

Ray brings this code to the nodes. Features go there once through Ray's object store; the images, and the cache that
the nodes fill, are in the workspace, which all of them see.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from threadpoolctl import threadpool_limits

from tl_core.config import TrainingConfig
from tl_core.errors import ClusterError
from tl_core.jobs.runners.ray_cluster import Needs, alive_nodes, connect
from tl_core.search.heads import Features, Mask, Outcome, fit_heads, material_of
from tl_core.search.space import QUICK_START, Source
from tl_core.search.trials import RUNGS, Measured, Proposal, TrialLoop

logger = logging.getLogger(__name__)

_LOOK_EVERY: Final = 0.5  # seconds between two looks whether the search was asked to stop

Report = tuple[float, float, float]
"""Share of a training that is done, accuracy and loss."""


class ClusterPool:
    """What a search has done on a cluster.

    Args:
        address: of the cluster, as Ray takes it.

    Raises:
        ClusterError: no cluster answers there.
    """

    def __init__(self, address: str) -> None:
        connect(address)
        nodes = [node for node in alive_nodes() if node["Resources"].get("CPU", 0) >= 1]
        if not nodes:
            raise ClusterError(f"No machine of the cluster at {address} has a processor for a search: add one.")
        self.nodes = len(nodes)
        self.slots = sum(int(node["Resources"]["CPU"]) for node in nodes)
        self._cpus = Needs.of(nodes).cpus
        self._features: dict[str, Any] = {}  # in the object store, by the name of their source
        self._masks: Any = None
        self._prepared: dict[str, Any] = {}  # by the name of the source

    def prepare(self, search: Path, sources: Sequence[Source]) -> None:
        """Have backbones run over the images on the nodes, several at once; returns at once."""
        import ray

        task = ray.remote(compute_on_node).options(num_cpus=self._cpus)
        self._prepared |= {source.name: task.remote(str(search), source) for source in sources}

    def wait_for(self, source: Source, stop_if_asked: Callable[[], None]) -> None:
        """Return once the features of a source are in the cache; where a node could not do it, at once as well."""
        import ray

        task = self._prepared.pop(source.name, None)
        if task is None:
            return
        while not ray.wait([task], timeout=_LOOK_EVERY)[0]:
            stop_if_asked()
        try:
            ray.get(task)
        except ray.exceptions.RayError:
            logger.warning("A node could not run %s; it is run here", source.title, exc_info=True)

    def run(
        self,
        loop: TrialLoop,
        features: Mapping[str, Features],
        goes_on: Callable[[], bool],
        stop_if_asked: Callable[[], None],
    ) -> None:
        """Propose and measure trials, as many groups at once as there are processors.

        Args:
            loop: of the search.
            features: by the name of their source.
            goes_on: whether one more group is to be begun.
            stop_if_asked: raises where the search is to stop; what is at work then leaves no trace.

        Raises:
            ClusterError: the nodes cannot train heads.
        """
        import ray

        at_work: dict[Any, list[Proposal]] = {}
        try:
            while True:
                while len(at_work) < self.slots and goes_on():
                    group = loop.propose(lambda source: features[source.name])
                    at_work[self._begin(loop, group, features[group[0].source.name])] = group
                if not at_work:
                    return
                stop_if_asked()
                for task in ray.wait(list(at_work), timeout=_LOOK_EVERY)[0]:
                    outcomes, told, seconds = ray.get(task)
                    group = at_work.pop(task)
                    steps = [
                        tuple(loop.step(proposal, *one) for one in of_head)
                        for proposal, of_head in zip(group, told, strict=True)
                    ]
                    part = seconds / len(group)
                    loop.record(group, [Measured(*one, part) for one in zip(outcomes, steps, strict=True)])
        except ray.exceptions.RayError as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise ClusterError(
                f"The machines of the cluster cannot train heads ({reason}): “python -m tl_core doctor” says what to "
                "do."
            ) from error
        finally:
            for task, group in at_work.items():
                ray.cancel(task, force=True)
                loop.withdraw(group)

    def _begin(self, loop: TrialLoop, group: Sequence[Proposal], features: Features) -> Any:
        import ray

        if self._masks is None:
            self._masks = ray.put(loop.masks)
        name = group[0].source.name
        if name not in self._features:
            self._features[name] = ray.put(features)
        floors = {} if group[0].fixed else loop.floors()
        paid = -loop.score(0.0, 0.0, group[0].source.cost)
        task = ray.remote(fit_on_node).options(num_cpus=1)
        configs = [proposal.config.to_file() for proposal in group]
        return task.remote(configs, self._features[name], self._masks, floors, (loop.loss_weight, paid))


def fit_on_node(
    configs: Sequence[Mapping[str, Any]],
    features: Features,
    masks: Mask,
    floors: Mapping[int, float],
    score: tuple[float, float],
) -> tuple[list[Outcome], list[list[Report]], float]:
    """Train heads that can be trained together on a node.

    Args:
        configs: of the trainings, as files have them.
        features: of their source.
        masks: which images each fold holds out.
        floors: scores below which one ends at a rung.
        score: weight of the loss in it, and what it loses for the cost of the source.

    Returns:
        What each has come to, what each told on its way, and the seconds that they took together.
    """
    began, told = time.monotonic(), [list[Report]() for _ in configs]
    weight, paid = score

    def report(place: int, share: float, accuracy: float, loss: float) -> bool:
        told[place].append((share, accuracy, loss))
        floor = floors.get(round(share * RUNGS))
        return floor is not None and accuracy - weight * min(loss, 5.0) - paid < floor

    settings = [TrainingConfig.from_file(config) for config in configs]
    with threadpool_limits(1):
        outcomes = fit_heads(settings, material_of(features, settings[0], masks), report)
    return outcomes, told, time.monotonic() - began


def compute_on_node(search: str, source: Source) -> None:
    """Run a backbone over the images of a search on a node; what comes of it is in the cache of the workspace."""
    from tl_core.runs import EventLog, RunFolder
    from tl_core.runs.heartbeat import Heartbeat
    from tl_core.search.record import load_search
    from tl_core.search.sources.features import load_features
    from tl_core.training.callbacks.event_log import EventLogger

    found = load_search(Path(search))
    with tempfile.TemporaryDirectory() as folder, EventLog(Path(folder) / "events.jsonl") as events:
        log = EventLogger(events, Heartbeat(RunFolder(Path(folder))))  # the search's own events have one writer
        load_features(source.apply(QUICK_START), found.dataset(), found.workspace, log, lambda: False)
