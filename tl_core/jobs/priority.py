"""Letting the pages answer quickly while a training uses every core."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import Final

logger = logging.getLogger(__name__)

NICENESS: Final = 10  # of the training thread; threads it starts, TensorFlow's pools among them, inherit it


def give_way_to_pages() -> None:
    """Lower the priority of the calling thread, so that the threads that answer browsers go first.

    On Linux a thread has a niceness of its own (setpriority(2)); elsewhere it would lower the whole process,
    pages included, so nothing is done there.
    """
    if sys.platform != "linux":
        return
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    except OSError as error:
        logger.info("The training keeps its normal priority: %s", error)
