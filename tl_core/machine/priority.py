"""Thread priorities: pages respond quickly while a training uses every core."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import psutil

logger = logging.getLogger(__name__)

NICENESS: Final = 5  # of compute threads; ordinary threads have 0 and then get about three times the share


def call_with_low_priority(start_threads: Callable[[], object]) -> None:
    """Call a function that starts native compute threads, so that these have a lower priority than all others.

    On Linux a thread has a niceness of its own, and threads inherit it (setpriority(2)). The function runs in a
    thread that ends with it, and should hold the GIL only briefly: the threads that serve browsers need
    it, and a low-priority thread on a busy machine is slow to release it. That is why the thread that
    trains keeps its normal priority. Elsewhere than on Linux the whole process would be slowed, so nothing is
    lowered there.
    """
    with ThreadPoolExecutor(1, "start-compute-threads", initializer=_lower_priority) as thread:
        thread.submit(start_threads).result()


def lower_process_priority() -> None:
    """Give this process, which has no other threads yet, a lower priority than the programs a person looks at."""
    lower = psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else NICENESS
    try:
        psutil.Process().nice(lower)
    except (psutil.Error, OSError) as error:
        logger.info("This process keeps its normal priority: %s", error)


def _lower_priority() -> None:
    if sys.platform != "linux":
        return
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    except OSError as error:
        logger.info("Compute threads keep their normal priority: %s", error)
