"""The heads of a search on the processors of this machine, a thread for each.

NumPy lets other threads work while it computes, and the products are too small to be divided among processors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

from threadpoolctl import threadpool_limits

from tl_core.machine.hardware import detect_hardware
from tl_core.search.heads import Features
from tl_core.search.trials import Measured, Proposal, TrialLoop

MOST: Final = 4  # threads; more wait for Python between the products
_LOOK_EVERY: Final = 0.2  # seconds between two looks whether the search was asked to stop


class ThreadPool:
    """Measures heads on this machine.

    Args:
        slots: groups of heads that are trained at once.
    """

    nodes: Final = 1

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or min(MOST, detect_hardware().cores)

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
        """
        at_work: dict[Future[list[Measured]], list[Proposal]] = {}
        ends = threading.Event()
        with threadpool_limits(1), ThreadPoolExecutor(self.slots, "heads") as threads:
            try:
                while True:
                    stop_if_asked()
                    while len(at_work) < self.slots and goes_on():
                        group = loop.propose(lambda source: features[source.name])
                        of_source = features[group[0].source.name]
                        at_work[threads.submit(loop.measure, group, of_source, ends.is_set)] = group
                    if not at_work:
                        return
                    for ended in wait(at_work, _LOOK_EVERY, FIRST_COMPLETED).done:
                        loop.record(at_work.pop(ended), ended.result())
            finally:
                ends.set()  # only where something was raised is anything at work
                for group in at_work.values():
                    loop.withdraw(group)
