"""The child process that searches: ``python -m tl_core.search.process FOLDER``, started by `start_search` alone.

It has a low priority and ends with its standard input, so with the program that started it, however that ended; the
search then shows as interrupted, and can be gone on with.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from tl_core.errors import TransferLearningError
from tl_core.machine.banner import keep_banner_back
from tl_core.machine.child_process import start_module
from tl_core.machine.priority import lower_process_priority
from tl_core.search.record import STOP_FILE, Search, load_search, update_search

logger = logging.getLogger(__name__)

MODULE: Final = "tl_core.search.process"
LOG_FILE: Final = "log.txt"
GONE: Final = "The process of this search ended unexpectedly. Nothing that was tried is lost: press Continue."

_started: list[subprocess.Popen[bytes]] = []  # held, so that they are waited for once they have ended


def start_search(search: Search) -> None:
    """Start the process of a search that waits; returns at once."""
    _started[:] = [process for process in _started if process.poll() is None]
    with (search.path / LOG_FILE).open("ab") as log:
        process = start_module(MODULE, str(search.path), stdin=subprocess.PIPE, stdout=log, stderr=log)
    _started.append(process)
    threading.Thread(target=_wait, args=(process, search.path), name="search", daemon=True).start()


def _wait(process: subprocess.Popen[bytes], path: Path) -> None:
    """Record the end of a search whose process could not do so itself."""
    process.wait()
    try:
        if load_search(path).status == "waiting":  # it never began
            update_search(path, status="failed", error=GONE)
    except TransferLearningError:
        logger.info("The search %s was deleted before its process ended", path.name)


def main() -> None:
    """Search in the folder that the argument names."""
    path = Path(sys.argv[1])
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    lower_process_priority()
    keep_banner_back()
    from tl_core.search.searching import StopRequest, run_search

    stop = path / STOP_FILE
    try:
        run_search(load_search(path), StopRequest(stop.exists, lambda: stop.unlink(missing_ok=True)))
    except TransferLearningError as error:
        logger.warning("%s", error)  # the record has it


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
