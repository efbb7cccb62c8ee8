"""Letting the pages answer quickly while a training uses every core."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

logger = logging.getLogger(__name__)

NICENESS: Final = 5  # of compute threads; ordinary threads have 0 and then get about three times the share
LOCK_SECONDS: Final = 0.001  # that a thread may keep Python's lock while another waits for it


def call_with_low_priority(start_threads: Callable[[], object]) -> None:
    """Call a function that starts native compute threads, so that these give way to all others.

    On Linux a thread has a niceness of its own, and threads inherit it (setpriority(2)). The function runs in a
    thread that ends with it, and should hold Python's lock only briefly: the threads that answer browsers need
    that lock, and a low-priority thread on a busy machine is slow to give it back. That is why the thread that
    trains keeps its normal priority. Elsewhere than on Linux the whole process would be slowed, so nothing is
    lowered there.
    """
    with ThreadPoolExecutor(1, "start-compute-threads", initializer=_lower_priority) as thread:
        thread.submit(start_threads).result()


def share_the_lock() -> None:
    """Have Python's lock change hands sooner, for the whole process.

    A head learns in steps of a millisecond, and between two of them its thread needs the lock for a moment. By
    default (5 ms, https://docs.python.org/3/library/sys.html#sys.setswitchinterval) it could wait for several steps'
    time whenever a page is being drawn, and the page as long for it.
    """
    sys.setswitchinterval(min(LOCK_SECONDS, sys.getswitchinterval()))


def _lower_priority() -> None:
    if sys.platform != "linux":
        return
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    except OSError as error:
        logger.info("Compute threads keep their normal priority: %s", error)
